using System.Text;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>One answer of a server in RESP2, without errors, which are exceptions. Bulk strings are bytes: keys and values have no encoding.</summary>
internal sealed class RespReply
{
    public static RespReply Null { get; } = new();

    /// <summary>A simple or bulk string; null for anything else.</summary>
    public byte[]? Bytes { get; init; }

    public long? Integer { get; init; }

    public IReadOnlyList<RespReply>? Items { get; init; }

    public string Text => Bytes is { } bytes ? Encoding.UTF8.GetString(bytes) : Integer?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "";
}
