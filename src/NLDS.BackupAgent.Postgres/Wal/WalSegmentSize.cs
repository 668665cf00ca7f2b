using System.Globalization;
using System.Numerics;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// How long a WAL segment is in one cluster: a power of two from 1 MB to 1 GB that initdb fixed for good. There is no default here: 16 MB is only
/// what initdb chooses when nobody says otherwise, so the size always comes from the server.
/// </summary>
internal readonly record struct WalSegmentSize
{
    private const int Minimum = 1 << 20;
    private const int Maximum = 1 << 30;

    private readonly int bytes;

    /// <exception cref="ArgumentOutOfRangeException">No cluster can have this size.</exception>
    public WalSegmentSize(int bytes)
    {
        if (!IsPossible(bytes))
        {
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "A WAL segment has a power of two of bytes between 1 MB and 1 GB.");
        }

        this.bytes = bytes;
    }

    /// <summary>Whether a cluster can have it.</summary>
    public static bool IsPossible(int bytes) => bytes is >= Minimum and <= Maximum && BitOperations.IsPow2(bytes);

    public int Bytes => bytes != 0 ? bytes : throw new InvalidOperationException("This segment size was never set; ask the server with SHOW wal_segment_size.");

    /// <summary>Segments in a "log file" of 4 GiB: the low part of a segment's name runs from 0 to this, exclusive.</summary>
    public ulong SegmentsPerLog => 0x1_0000_0000UL / (ulong)Bytes;

    /// <summary>Reads what SHOW wal_segment_size prints: a number with its unit, such as <c>16MB</c> or <c>1GB</c>.</summary>
    /// <exception cref="FormatException">The text is no such size.</exception>
    public static WalSegmentSize Parse(string text)
    {
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : text.Length;
        long unit = text[digits..] switch
        {
            "" or "B" => 1,
            "kB" => 1 << 10,
            "MB" => 1 << 20,
            "GB" => 1 << 30,
            _ => 0,
        };

        return int.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number * unit is >= Minimum and <= Maximum and var size
            && BitOperations.IsPow2(size)
                ? new WalSegmentSize((int)size)
                : throw new FormatException($"'{text}' is not a WAL segment size; expected a power of two between 1MB and 1GB.");
    }

    public ulong NumberOf(Lsn lsn) => lsn.Value / (ulong)Bytes;

    public int OffsetOf(Lsn lsn) => (int)(lsn.Value % (ulong)Bytes);

    /// <summary>The start of the segment that holds the position.</summary>
    public Lsn RoundDown(Lsn lsn) => lsn - (ulong)OffsetOf(lsn);

    public override string ToString() => bytes >= Maximum ? "1GB" : string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20}MB");
}
