using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>One answer of Redis (RESP2). Bulk strings are bytes: keys and values have no encoding.</summary>
internal sealed class CacheReply
{
    /// <summary>A simple or bulk string.</summary>
    public byte[]? Bytes { get; init; }

    public long? Integer { get; init; }

    public IReadOnlyList<CacheReply>? Items { get; init; }

    /// <summary>The server's error, instead of an answer.</summary>
    public string? Error { get; init; }

    /// <summary>A bulk string that was larger than what is kept of one; it was passed over.</summary>
    public long? PassedOverBytes { get; init; }

    public string Text => Bytes is { } bytes ? Encoding.UTF8.GetString(bytes) : Integer?.ToString(CultureInfo.InvariantCulture) ?? "";
}
