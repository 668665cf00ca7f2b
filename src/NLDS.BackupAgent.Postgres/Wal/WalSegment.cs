using System.Buffers;
using System.Globalization;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// One WAL segment: a timeline and a number, for a cluster's segment size. Its file name is 24 hexadecimal digits: the timeline, then the number
/// split at every 4 GiB of log, so that with 1 MB segments the last eight digits run to 00000FFF and with 16 MB only to 000000FF.
/// </summary>
internal readonly record struct WalSegment
{
    private const int NameLength = 24;

    internal static readonly SearchValues<char> Capitals = SearchValues.Create("0123456789ABCDEF");

    public WalSegment(uint timeline, ulong number, WalSegmentSize size)
    {
        ArgumentOutOfRangeException.ThrowIfZero(timeline);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, ulong.MaxValue / (ulong)size.Bytes);
        Timeline = timeline;
        Number = number;
        Size = size;
    }

    public uint Timeline { get; }

    public ulong Number { get; }

    public WalSegmentSize Size { get; }

    public Lsn Start => new(Number * (ulong)Size.Bytes);

    /// <summary>The first position that is not in it.</summary>
    public Lsn End => Start + (ulong)Size.Bytes;

    public WalSegment Next => new(Timeline, Number + 1, Size);

    public string Name => string.Create(
        CultureInfo.InvariantCulture, $"{Timeline:X8}{Number / Size.SegmentsPerLog:X8}{Number % Size.SegmentsPerLog:X8}");

    /// <summary>The segment that holds the byte at <paramref name="lsn"/>.</summary>
    public static WalSegment Holding(Lsn lsn, uint timeline, WalSegmentSize size) => new(timeline, size.NumberOf(lsn), size);

    /// <summary>Takes a name as PostgreSQL makes it: capitals only, a timeline above zero, and a low part that the segment size allows.</summary>
    public static bool TryParse(ReadOnlySpan<char> name, WalSegmentSize size, out WalSegment segment)
    {
        segment = default;
        if (name.Length != NameLength || !TryParsePart(name[..8], out var timeline) || timeline == 0
            || !TryParsePart(name[8..16], out var log)
            || !TryParsePart(name[16..], out var index) || index >= size.SegmentsPerLog)
        {
            return false;
        }

        var number = (log * size.SegmentsPerLog) + index;
        if (number >= ulong.MaxValue / (ulong)size.Bytes)
        {
            return false;
        }

        segment = new WalSegment(timeline, number, size);
        return true;
    }

    public bool Holds(Lsn lsn) => Size.NumberOf(lsn) == Number;

    public override string ToString() => Name;

    private static bool TryParsePart(ReadOnlySpan<char> digits, out uint part)
    {
        part = 0;

        // The parser itself passes over zeros behind the digits (U+0000).
        return !digits.ContainsAnyExcept(Capitals)
            && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out part);
    }
}
