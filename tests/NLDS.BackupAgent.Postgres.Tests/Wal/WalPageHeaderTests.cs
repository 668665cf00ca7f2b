using System.Buffers.Binary;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

[Collection(typeof(UsualSegmentsCollection))]
public sealed class WalPageHeaderTests(UsualSegments wal)
{
    private readonly byte[] page = wal.Bytes.AsSpan(0, WalPageHeader.PageBytes).ToArray();

    [Fact]
    public void Every_segment_of_a_server_passes()
    {
        for (var at = wal.Start; wal.OffsetOf(at) < wal.Bytes.Length; at += wal.SegmentBytes)
        {
            WalPageHeader.Check(wal.Bytes.AsSpan(wal.OffsetOf(at), WalPageHeader.PageBytes), wal.SystemIdentifier, wal.SegmentBytes, at).ShouldBeNull();
        }
    }

    [Fact]
    public void A_header_tells_the_version_the_timeline_and_the_cluster()
    {
        var header = WalPageHeader.Read(page.AsSpan(0, WalPageHeader.LongBytes));
        (header.MajorVersion, header.Timeline, header.IsLong, header.Address).ShouldBe((15, 1u, true, wal.Start));
        header.SystemIdentifier.ToString().ShouldBe(wal.SystemIdentifier);
        (header.SegmentBytes, header.BlockBytes).ShouldBe((wal.SegmentBytes, 8192u));
    }

    [Fact]
    public void The_wrong_place_cluster_or_size_is_told()
    {
        WalPageHeader.Check(page, "42", wal.SegmentBytes, wal.Start).ShouldBe($"it is of the cluster {wal.SystemIdentifier}, not of 42");
        WalPageHeader.Check(page, wal.SystemIdentifier, wal.SegmentBytes, wal.Start + wal.SegmentBytes)!.ShouldStartWith("it says that it belongs at ");
        WalPageHeader.Check(page, wal.SystemIdentifier, 1 << 20, wal.Start).ShouldBe("it is of segments of 16777216 bytes, not of 1048576");
        WalPageHeader.Check(page.AsSpan(0, 39), wal.SystemIdentifier, wal.SegmentBytes, wal.Start).ShouldBe("only 39 of the 40 bytes of its header are there");
        WalPageHeader.Check(new byte[8192], wal.SystemIdentifier, wal.SegmentBytes, wal.Start)!.ShouldContain("magic number 0000");
    }

    [Theory]
    [InlineData(0, "magic number")]
    [InlineData(1, "magic number")]
    [InlineData(2, "lacks a segment's header")]
    [InlineData(3, "flags")]
    [InlineData(4, "no timeline")]
    [InlineData(8, "belongs at")]
    [InlineData(32, "segments of")]
    [InlineData(36, "pages of")]
    public void A_changed_field_is_told(int at, string complaint)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(2), 2);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(16), 0);
        WalPageHeader.Check(page, wal.SystemIdentifier, wal.SegmentBytes, wal.Start).ShouldBeNull();
        page[at] ^= at switch { 2 => 2, 4 => 1, _ => 0x80 };
        WalPageHeader.Check(page, wal.SystemIdentifier, wal.SegmentBytes, wal.Start)!.ShouldContain(complaint);
    }
}
