using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>All that a scanner said about some bytes.</summary>
internal sealed class WalScan
{
    private readonly WalScanner scanner;

    private WalScan(ulong start, uint segmentBytes, bool verifyChecksums) =>
        scanner = new WalScanner(start, segmentBytes, verifyChecksums) { TransactionEnded = TransactionEnds.Add, RestorePointMade = RestorePoints.Add };

    public List<TransactionEnd> TransactionEnds { get; } = [];

    public List<RestorePoint> RestorePoints { get; } = [];

    public (ulong Position, ulong Start, ulong End, long Records, uint Timeline, WalStop? Fault, WalStop? EndOfWal) State =>
        (scanner.Position, scanner.LastRecordStart, scanner.LastRecordEnd, scanner.Records, scanner.Timeline, scanner.Fault, scanner.EndOfWal);

    public ulong LastRecordStart => scanner.LastRecordStart;

    public ulong LastRecordEnd => scanner.LastRecordEnd;

    public WalStop? Fault => scanner.Fault;

    public WalStop? EndOfWal => scanner.EndOfWal;

    /// <summary>Feeds <paramref name="bytes"/> in pieces of the lengths given, and what they leave over at once.</summary>
    public static WalScan Of(ReadOnlySpan<byte> bytes, ulong start, uint segmentBytes, bool verifyChecksums = false, IEnumerable<int>? pieces = null)
    {
        var scan = new WalScan(start, segmentBytes, verifyChecksums);
        foreach (var piece in pieces ?? [])
        {
            var length = Math.Min(piece, bytes.Length);
            scan.scanner.Feed(bytes[..length]);
            bytes = bytes[length..];
            if (bytes.IsEmpty)
            {
                break;
            }
        }

        scan.scanner.Feed(bytes);
        return scan;
    }

    public void ShouldAgreeWith(WalScan other)
    {
        State.ShouldBe(other.State);
        TransactionEnds.SequenceEqual(other.TransactionEnds).ShouldBeTrue();
        RestorePoints.SequenceEqual(other.RestorePoints).ShouldBeTrue();
    }
}
