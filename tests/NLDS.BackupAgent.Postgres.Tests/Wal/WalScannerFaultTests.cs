using System.Buffers.Binary;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>Real log with one thing changed: what the scanner calls damage, and what it calls the end.</summary>
[Collection(typeof(SmallSegmentsCollection))]
public sealed class WalScannerFaultTests
{
    private const int PageBytes = 8192;

    private readonly SmallSegments wal;
    private readonly ulong start;
    private readonly byte[] bytes;
    private readonly DumpedRecord[] records;

    public WalScannerFaultTests(SmallSegments wal)
    {
        this.wal = wal;

        // The segment that the recording begins with, as far as its end and the next one's first page.
        start = wal.Start;
        bytes = wal.Bytes.AsSpan(0, (int)wal.SegmentBytes + PageBytes).ToArray();
        records = [.. wal.Records.Where(record => record.End <= start + (ulong)bytes.Length)];
    }

    [Fact]
    public void Untouched_it_is_sound()
    {
        var scan = Scan();
        (scan.Fault, scan.EndOfWal).ShouldBe((null, null));
        scan.LastRecordEnd.ShouldBe(records[^1].End);
    }

    [Theory]
    [InlineData(0xD10D, 14)]
    [InlineData(0xD110, 15)]
    [InlineData(0xD113, 16)]
    [InlineData(0xD116, 17)]
    [InlineData(0xD118, 18)]
    public void Every_version_is_read(int magic, int version)
    {
        for (var page = 0; page < bytes.Length; page += PageBytes)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(page), (ushort)magic);
        }

        WalPageHeader.Read(bytes.AsSpan(0, WalPageHeader.LongBytes)).MajorVersion.ShouldBe(version);
        var scan = Scan();
        scan.Fault.ShouldBeNull();
        scan.LastRecordEnd.ShouldBe(records[^1].End);
    }

    [Fact]
    public void A_page_of_zeros_is_the_end()
    {
        bytes.AsSpan(5 * PageBytes, PageBytes).Clear();
        ShouldEndAtPage(5);
    }

    [Fact]
    public void A_page_of_a_recycled_segment_is_the_end()
    {
        Write64(5, 8, start - wal.SegmentBytes + (5 * PageBytes));
        ShouldEndAtPage(5);
    }

    [Fact]
    public void A_page_from_further_on_is_a_fault()
    {
        Write64(5, 8, start + (6 * PageBytes));
        ShouldFailAtPage(5, "it says that it belongs at ");
    }

    [Theory]
    [InlineData(0x0000)]
    [InlineData(0xD0FF)]
    public void A_page_of_no_known_version_is_a_fault(int magic)
    {
        Write16(5, 0, magic);
        ShouldFailAtPage(5, $"magic number {magic:X4}");
    }

    [Fact]
    public void A_page_of_another_version_is_a_fault()
    {
        Write16(5, 0, 0xD118);
        ShouldFailAtPage(5, "its magic number is D118 and that of the pages before it D110");
    }

    [Fact]
    public void A_page_of_an_older_timeline_is_a_fault_and_one_of_a_newer_is_not()
    {
        for (var page = 3; page < bytes.Length / PageBytes; page++)
        {
            Write32(page, 4, 2);
        }

        var scan = Scan();
        scan.Fault.ShouldBeNull();
        scan.State.Timeline.ShouldBe(2u);

        Write32(5, 4, 1);
        ShouldFailAtPage(5, "it is of timeline 1 and the page before it is of 2");
    }

    [Fact]
    public void A_segment_of_another_cluster_is_a_fault()
    {
        Write64((int)wal.SegmentBytes / PageBytes, 24, 42);
        ShouldFailAtPage((int)wal.SegmentBytes / PageBytes, "it is of the cluster 42");
    }

    [Fact]
    public void Segments_of_another_size_are_a_fault()
    {
        var scan = WalScan.Of(bytes, start, wal.SegmentBytes / 2);
        scan.Fault!.Value.Reason.ShouldContain("it is of segments of 1048576 bytes, not of 524288");
    }

    [Fact]
    public void A_record_that_does_not_go_on_is_a_fault()
    {
        var page = PageThatContinues();
        Write16(page, 2, 0);
        Write32(page, 16, 0);
        ShouldFailAtPage(page, "it has 0 bytes of the record");
    }

    [Fact]
    public void A_record_that_goes_on_with_another_length_is_a_fault()
    {
        var page = PageThatContinues();
        Write32(page, 16, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan((page * PageBytes) + 16)) + 1);
        ShouldFailAtPage(page, "bytes of the record that goes on");
    }

    [Fact]
    public void A_record_given_up_must_be_followed_by_one_that_says_so()
    {
        // Behind a switch a segment begins with a record of its own.
        var end = wal.Records.First(record => record.Description.StartsWith("SWITCH", StringComparison.Ordinal)).End;
        var segment = end + wal.SegmentBytes - (end % wal.SegmentBytes);
        var changed = wal.Bytes.AsSpan(wal.OffsetOf(segment), PageBytes).ToArray();
        changed[2] |= 8;
        var scan = WalScan.Of(changed, segment, wal.SegmentBytes);
        scan.Fault!.Value.Position.ShouldBe(segment + WalPageHeader.LongBytes);
        scan.Fault.Value.Reason.ShouldStartWith("the page gives up a record");
    }

    [Fact]
    public void A_page_that_both_goes_on_with_a_record_and_gives_it_up_is_a_fault()
    {
        var page = PageThatContinues();
        Write16(page, 2, 8 | 1);
        ShouldFailAtPage(page, "it says both that a record goes on and that it was given up");
    }

    [Fact]
    public void A_record_of_no_length_is_the_end()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(wal.OffsetOf(records[10].Start)), 0);
        var scan = Scan();
        scan.EndOfWal!.Value.Position.ShouldBe(records[10].Start);
        scan.LastRecordEnd.ShouldBe(records[9].End);
        scan.Fault.ShouldBeNull();
    }

    [Fact]
    public void A_record_shorter_than_its_header_is_a_fault()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(wal.OffsetOf(records[10].Start)), 23);
        ShouldFailAtRecord(10, "a record cannot be 23 bytes long");
    }

    [Fact]
    public void A_record_that_follows_another_one_than_the_last_is_a_fault_even_without_checksums()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(wal.OffsetOf(records[10].Start) + 8), records[8].Start);
        ShouldFailAtRecord(10, "the record says that the one before it starts at ");
    }

    [Fact]
    public void The_first_record_that_follows_itself_is_a_fault()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(wal.OffsetOf(records[0].Start) + 8), records[0].Start);
        Scan().Fault!.Value.Position.ShouldBe(records[0].Start);
    }

    [Fact]
    public void A_commit_without_its_time_is_a_fault()
    {
        var commit = Array.FindIndex(wal.Records, record => record.Description.StartsWith("COMMIT 2", StringComparison.Ordinal) && record.Start % PageBytes < 8000);
        var at = wal.Records[commit].Start;
        var segment = at - (at % wal.SegmentBytes);
        var changed = wal.Bytes.AsSpan(wal.OffsetOf(segment)).ToArray();
        changed[at - segment + 24] = 77;
        var scan = WalScan.Of(changed, segment, wal.SegmentBytes);
        scan.Fault!.Value.Position.ShouldBe(at);
    }

    [Fact]
    public void What_lies_behind_a_switch_does_not_matter()
    {
        var end = wal.Records.First(record => record.Description.StartsWith("SWITCH", StringComparison.Ordinal)).End;
        var all = wal.Bytes.ToArray();
        var before = WalScan.Of(all, start, wal.SegmentBytes, verifyChecksums: true);
        all.AsSpan(wal.OffsetOf(end), (int)(wal.SegmentBytes - (end % wal.SegmentBytes))).Fill(0xAB);
        WalScan.Of(all, start, wal.SegmentBytes, verifyChecksums: true).ShouldAgreeWith(before);
    }

    [Fact]
    public void After_a_stop_nothing_is_read()
    {
        bytes.AsSpan(5 * PageBytes, PageBytes).Clear();
        Scan(pieces: Enumerable.Repeat(100, bytes.Length)).ShouldAgreeWith(Scan());
        Scan().State.Position.ShouldBe(start + (5 * PageBytes));
    }

    [Fact]
    public void A_scan_must_start_at_a_page_and_know_what_a_segment_is()
    {
        Should.Throw<ArgumentException>(() => new WalScanner(start + 8, wal.SegmentBytes));
        Should.Throw<ArgumentOutOfRangeException>(() => new WalScanner(start, 0));
        Should.Throw<ArgumentOutOfRangeException>(() => new WalScanner(start, wal.SegmentBytes + 1));
    }

    private WalScan Scan(IEnumerable<int>? pieces = null) => WalScan.Of(bytes, start, wal.SegmentBytes, verifyChecksums: false, pieces);

    private int PageThatContinues() =>
        Enumerable.Range(2, 100).First(page => (bytes[(page * PageBytes) + 2] & 1) != 0 && records.Any(record => record.End < start + (ulong)(page * PageBytes)));

    private void ShouldEndAtPage(int page)
    {
        var scan = Scan();
        scan.EndOfWal!.Value.Position.ShouldBe(start + (ulong)(page * PageBytes));
        scan.Fault.ShouldBeNull();
        ShouldHaveReadUpTo(scan, page);
    }

    private void ShouldFailAtPage(int page, string reason)
    {
        var scan = Scan();
        scan.Fault!.Value.Position.ShouldBe(start + (ulong)(page * PageBytes));
        scan.Fault.Value.Reason.ShouldContain(reason);
        scan.EndOfWal.ShouldBeNull();
        ShouldHaveReadUpTo(scan, page);
    }

    private void ShouldHaveReadUpTo(WalScan scan, int page) =>
        scan.LastRecordEnd.ShouldBe(records.LastOrDefault(record => record.End <= start + (ulong)(page * PageBytes))?.End ?? 0);

    private void ShouldFailAtRecord(int index, string reason)
    {
        var scan = Scan();
        scan.Fault!.Value.Position.ShouldBe(records[index].Start);
        scan.Fault.Value.Reason.ShouldContain(reason);
        scan.LastRecordEnd.ShouldBe(records[index - 1].End);
    }

    private void Write16(int page, int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan((page * PageBytes) + at), (ushort)value);

    private void Write32(int page, int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((page * PageBytes) + at), value);

    private void Write64(int page, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((page * PageBytes) + at), value);
}
