using NLDS.BackupAgent.Postgres.Tests.Wal;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Postgres.Tests.Fuzzing;

/// <summary>Write-ahead log of a real server, changed at will: the scanner never throws, hardly allocates, and says the same however it is cut.</summary>
[Collection(typeof(SmallSegmentsCollection))]
public sealed class WalFuzzTests(SmallSegments wal)
{
    private const int PageBytes = 8192;

    [Fact]
    public void The_scanner_reads_whatever_it_is_fed()
    {
        var mutator = new ByteMutator(
            [
                .. Enumerable.Range(0, 12).Select(page => wal.Bytes[(page * PageBytes)..((page + 3) * PageBytes)]),
                wal.Bytes[..((int)wal.SegmentBytes / 4)],
            ],
            [[0x10, 0xd1], new byte[24], wal.Bytes[..40]]);
        new Fuzzer("the WAL scanner", mutator.Next, Scan, _ => false) { BytesPerByte = 20 }.Run(500);
    }

    private void Scan(FuzzInput input)
    {
        var random = new Random(input.Seed);
        var start = random.Next(4) switch
        {
            0 => ulong.MaxValue - (ulong)(random.Next(1, 8) * PageBytes) + 1,
            1 => wal.Start + (ulong)(random.Next(16) * PageBytes),
            _ => wal.Start,
        };
        var isVerifying = random.Next(2) == 0;
        var whole = WalScan.Of(input.Bytes, start, wal.SegmentBytes, isVerifying);

        WalScan.Of(input.Bytes, start, wal.SegmentBytes, isVerifying, input.Pieces().Select(piece => piece.Length)).ShouldAgreeWith(whole);
        if (start <= wal.Start)
        {
            whole.LastRecordEnd.ShouldBeLessThanOrEqualTo(start + (ulong)input.Bytes.Length);
        }

        WalPageHeader.Check(input.Bytes, wal.SystemIdentifier, wal.SegmentBytes, start);
    }
}
