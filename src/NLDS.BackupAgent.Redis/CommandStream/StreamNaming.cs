using System.Globalization;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>
/// The replication stream as the repository's log archive sees it: a lineage is a replication id, a position the number of bytes before it. A stream may begin at
/// any offset, because a partial resynchronisation goes on exactly where the last ended; segments of one size follow from there, each named after its first offset.
/// </summary>
/// <param name="origin">Where the writer that uses it begins; a reader needs none.</param>
internal sealed class StreamNaming(ulong origin = 0) : ILogNaming
{
    public const ulong SegmentBytes = 16 << 20;

    private const int IdDigits = 40;
    private const int PositionDigits = 16;

    public LogRange SegmentAt(ulong position)
    {
        var start = position < origin ? position : position - ((position - origin) % SegmentBytes);
        return new LogRange(start, start + SegmentBytes);
    }

    public string Name(string lineage, LogRange segment) => string.Create(CultureInfo.InvariantCulture, $"{lineage}-{segment.Start:x16}");

    public bool TryParse(string name, out string lineage, out LogRange segment)
    {
        (lineage, segment) = ("", default);
        if (name.Length != IdDigits + 1 + PositionDigits || name[IdDigits] != '-' || !Replication.IsId(name[..IdDigits])
            || !ulong.TryParse(name.AsSpan(IdDigits + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var start)
            || start > ulong.MaxValue - SegmentBytes)
        {
            return false;
        }

        (lineage, segment) = (name[..IdDigits], new LogRange(start, start + SegmentBytes));
        return true;
    }

    public bool IsLineage(string text) => Replication.IsId(text);

    public string Format(ulong position) => position.ToString(CultureInfo.InvariantCulture);
}
