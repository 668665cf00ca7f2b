using FsCheck;
using FsCheck.Fluent;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>The scanner against PostgreSQL's own reader, on the log of a real server.</summary>
public abstract class WalScannerTests(RecordedWal wal)
{
    private const int PageBytes = 8192;

    /// <summary>The last segment start with enough records behind it to try things on.</summary>
    private ulong Tail
    {
        get
        {
            var start = wal.Records[^800].Start;
            return start - (start % wal.SegmentBytes);
        }
    }

    private int SegmentCount => wal.Bytes.Length / (int)wal.SegmentBytes;

    [Fact]
    public void The_recording_holds_every_kind_of_record_that_is_read()
    {
        foreach (var kind in (string[])["COMMIT 2", "COMMIT_PREPARED", "ABORT 2", "ABORT_PREPARED", "PREPARE", "RESTORE_POINT", "SWITCH", "CHECKPOINT_SHUTDOWN"])
        {
            wal.Records.ShouldContain(record => record.Description.StartsWith(kind, StringComparison.Ordinal), kind);
        }

        wal.Records.ShouldContain(record => record.IsTransactionEnd && record.Description.Contains("origin: node", StringComparison.Ordinal));
        wal.Records.ShouldContain(record => record.IsTransactionEnd && record.TotalBytes > 300);
        wal.Records.ShouldContain(record => (record.Start % PageBytes) + 24 > PageBytes, "a header on two pages");
        wal.Records.ShouldContain(record => record.TotalBytes > 3_000_000);
        SegmentCount.ShouldBeGreaterThan(3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whole_segments_give_what_PostgreSQL_reads_from_them(bool verifyChecksums)
    {
        var pieces = Enumerable.Repeat((int)wal.SegmentBytes, SegmentCount);
        ShouldMatchDump(WalScan.Of(wal.Bytes, wal.Start, wal.SegmentBytes, verifyChecksums, pieces), wal.Records);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(300)]
    [InlineData(20_000)]
    [InlineData(200_000)]
    public void Pieces_of_random_length_give_what_PostgreSQL_reads(int longest)
    {
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var pieces = Enumerable.Range(0, int.MaxValue).Select(_ => random.Next(longest + 1));
        ShouldMatchDump(WalScan.Of(wal.Bytes, wal.Start, wal.SegmentBytes, verifyChecksums: true, pieces), wal.Records);
    }

    [Fact]
    public void A_scan_that_begins_at_any_later_segment_finds_all_records_that_start_in_it_or_behind()
    {
        for (var segment = 1; segment < SegmentCount; segment++)
        {
            var start = wal.Start + ((ulong)segment * wal.SegmentBytes);
            var scan = WalScan.Of(wal.Bytes.AsSpan(wal.OffsetOf(start)), start, wal.SegmentBytes, verifyChecksums: true);
            ShouldMatchDump(scan, [.. wal.Records.Where(record => record.Start >= start)]);
        }
    }

    [Fact]
    public void A_scan_may_begin_at_any_page()
    {
        // Behind a switch there are no pages to begin at, so only what lies before the first.
        var end = wal.Records.First(record => record.Description.StartsWith("SWITCH", StringComparison.Ordinal)).End;
        for (var start = wal.Start + PageBytes; start + PageBytes < end; start += 61 * PageBytes)
        {
            var scan = WalScan.Of(wal.Bytes.AsSpan(wal.OffsetOf(start)), start, wal.SegmentBytes);
            ShouldMatchDump(scan, [.. wal.Records.Where(record => record.Start >= start)]);
        }
    }

    [Fact]
    public void Restore_points_have_the_time_at_which_they_were_made()
    {
        var points = WalScan.Of(wal.Bytes, wal.Start, wal.SegmentBytes).RestorePoints;
        points.Select(point => point.Name).ShouldBe(wal.RestorePointTimes.Keys);
        foreach (var point in points)
        {
            var (after, before) = wal.RestorePointTimes[point.Name];
            point.Time.ShouldBeInRange(after, before);
        }
    }

    [Fact]
    public void How_the_bytes_are_cut_makes_no_difference()
    {
        // A window of a few pages round a place where something happens, then cuts of every size in it.
        var windows = wal.Records.Where(record => record.IsRestorePoint || record.Description.StartsWith("SWITCH", StringComparison.Ordinal))
            .Concat(wal.Records.Where(record => record.IsTransactionEnd).TakeLast(3))
            .Select(record => record.Start - (record.Start % PageBytes))
            .ToArray();
        var cuts = Gen.OneOf(Gen.Choose(0, 9), Gen.Choose(10, 200), Gen.Choose(PageBytes - 40, PageBytes + 40)).ArrayOf();
        var cases = from window in Gen.Elements(windows) from pieces in cuts from verify in Gen.Elements(false, true) select (window, pieces, verify);
        Prop.ForAll(cases.ToArbitrary(), one =>
        {
            var bytes = wal.Bytes.AsSpan(wal.OffsetOf(one.window));
            bytes = bytes[..Math.Min(bytes.Length, 6 * PageBytes)];
            WalScan.Of(bytes, one.window, wal.SegmentBytes, one.verify, one.pieces).ShouldAgreeWith(WalScan.Of(bytes, one.window, wal.SegmentBytes, one.verify));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void A_log_that_breaks_off_at_any_byte_ends_with_its_last_complete_record()
    {
        var segment = Tail;
        var records = wal.Records.Where(record => record.Start >= segment).ToArray();
        for (var length = 0; length <= 3 * PageBytes; length++)
        {
            var scan = WalScan.Of(wal.Bytes.AsSpan(wal.OffsetOf(segment), length), segment, wal.SegmentBytes, verifyChecksums: true);
            var last = records.LastOrDefault(record => record.End <= segment + (ulong)length);
            (scan.LastRecordStart, scan.LastRecordEnd).ShouldBe((last?.Start ?? 0, last?.End ?? 0));
            scan.Fault.ShouldBeNull();
            scan.EndOfWal.ShouldBeNull();
        }
    }

    [Fact]
    public void A_log_that_breaks_off_in_zeros_ends_with_its_last_complete_record_too()
    {
        var segment = Tail;
        var records = wal.Records.Where(record => record.Start >= segment).ToArray();
        var padded = new byte[4 * PageBytes];
        for (var length = 0; length <= 2 * PageBytes; length += 7)
        {
            Array.Clear(padded);
            wal.Bytes.AsSpan(wal.OffsetOf(segment), length).CopyTo(padded);
            var scan = WalScan.Of(padded, segment, wal.SegmentBytes, verifyChecksums: true);
            var last = records.LastOrDefault(record => record.PositionOf(record.TotalBytes - 1, wal.SegmentBytes) < segment + (ulong)length);

            // A record of which only zeros are cut off is whole all the same.
            var same = length + wal.Bytes.AsSpan(wal.OffsetOf(segment) + length).IndexOfAnyExcept((byte)0);
            scan.LastRecordEnd.ShouldBeInRange(last?.End ?? 0, segment + (ulong)same + 7);
            (scan.Fault ?? scan.EndOfWal).ShouldNotBeNull();
        }
    }

    [Fact]
    public void With_checksums_a_flipped_bit_in_any_record_is_found()
    {
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var segment = Tail;
        var records = wal.Records.Where(record => record.Start >= segment).SkipLast(400).ToArray();
        var bytes = wal.Bytes.AsSpan(wal.OffsetOf(segment)).ToArray();
        for (var round = 0; round < 500; round++)
        {
            var victim = random.Next(1, records.Length);
            var at = (int)(records[victim].PositionOf((uint)random.Next((int)records[victim].TotalBytes), wal.SegmentBytes) - segment);
            var bit = (byte)(1 << random.Next(8));
            bytes[at] ^= bit;
            var scan = WalScan.Of(bytes, segment, wal.SegmentBytes, verifyChecksums: true);
            bytes[at] ^= bit;

            (scan.Fault ?? scan.EndOfWal)!.Value.Position.ShouldBeInRange(records[victim].Start, records[victim].End + PageBytes, $"bit {bit} at {at}");
            scan.LastRecordEnd.ShouldBe(records[victim - 1].End, $"bit {bit} at {at}");
        }
    }

    [Fact]
    public void Noise_anywhere_never_throws()
    {
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var bytes = wal.Bytes.AsSpan(0, 64 * PageBytes).ToArray();
        for (var round = 0; round < 500; round++)
        {
            var noisy = bytes.ToArray();
            for (var count = random.Next(1, 20); count > 0; count--)
            {
                noisy[random.Next(noisy.Length)] = (byte)random.Next(256);
            }

            var scan = WalScan.Of(noisy, wal.Start, wal.SegmentBytes, verifyChecksums: round % 2 == 0);
            scan.LastRecordEnd.ShouldBeLessThanOrEqualTo(wal.Start + (ulong)noisy.Length);
        }
    }

    [Fact]
    public void Records_cost_no_memory()
    {
        var scanner = new WalScanner(wal.Start, wal.SegmentBytes, verifyChecksums: true) { TransactionEnded = _ => { } };
        scanner.Feed(wal.Bytes.AsSpan(0, PageBytes));
        var before = GC.GetAllocatedBytesForCurrentThread();
        scanner.Feed(wal.Bytes.AsSpan(PageBytes..(int)wal.SegmentBytes));
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
        scanner.Records.ShouldBeGreaterThan(100);
    }

    private static void ShouldMatchDump(WalScan scan, DumpedRecord[] records)
    {
        scan.Fault.ShouldBeNull();
        scan.State.Records.ShouldBe(records.Length);
        (scan.LastRecordStart, scan.LastRecordEnd).ShouldBe((records[^1].Start, records[^1].End));
        scan.EndOfWal!.Value.Position.ShouldBe(records[^1].End);
        scan.State.Position.ShouldBe(records[^1].End);
        var ends = records.Where(record => record.IsTransactionEnd).Select(record => record.ToTransactionEnd()).ToArray();
        scan.TransactionEnds.Count.ShouldBe(ends.Length);
        scan.TransactionEnds.SequenceEqual(ends).ShouldBeTrue();
        scan.RestorePoints.Select(point => (point.Start, point.End, point.Name))
            .ShouldBe(records.Where(record => record.IsRestorePoint).Select(record => (record.Start, record.End, record.RestorePointName)));
    }
}

[Collection(typeof(SmallSegmentsCollection))]
public sealed class WalScannerOnSmallSegmentsTests(SmallSegments wal) : WalScannerTests(wal);

[Collection(typeof(UsualSegmentsCollection))]
public sealed class WalScannerOnUsualSegmentsTests(UsualSegments wal) : WalScannerTests(wal);
