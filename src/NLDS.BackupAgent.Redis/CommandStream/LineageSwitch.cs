using System.Globalization;
using System.Text;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>
/// One replication history goes on as another: a replica was promoted, or a server restarted with what it had, and the stream continues without a hole under a new id.
/// Kept as a small file beside the log, whose name says it all: <c>CHILD-OFFSET-PARENT.history</c>.
/// </summary>
internal readonly record struct LineageSwitch(string Child, ulong Offset, string Parent)
{
    private const string Suffix = ".history";

    public string FileName => string.Create(CultureInfo.InvariantCulture, $"{Child}-{Offset:x16}-{Parent}{Suffix}");

    public byte[] Content => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Child} continues {Parent} at {Offset}\n"));

    public static IReadOnlyList<LineageSwitch> Of(LogInventory inventory) => [.. inventory.Files.Keys.Select(Parse).OfType<LineageSwitch>()];

    private static LineageSwitch? Parse(string name)
    {
        var parts = name.EndsWith(Suffix, StringComparison.Ordinal) ? name[..^Suffix.Length].Split('-') : [];
        return parts.Length == 3 && Replication.IsId(parts[0]) && Replication.IsId(parts[2]) && parts[1].Length == 16
            && ulong.TryParse(parts[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var offset)
            ? new LineageSwitch(parts[0], offset, parts[2])
            : null;
    }
}
