using FsCheck;
using FsCheck.Fluent;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

public sealed class WalSegmentTests
{
    [Fact]
    public void Digits_are_followed_by_nothing()
    {
        WalSegment.TryParse("00000001000000160000000\0", new WalSegmentSize(16 << 20), out _).ShouldBeFalse();
        Lsn.TryParse("16/B\0", out _).ShouldBeFalse();
        TimelineHistory.TryParseFileName("0000002\0.history", out _).ShouldBeFalse();
    }

    private static readonly Arbitrary<int> SizeExponents = Gen.Choose(20, 30).ToArbitrary();

    [Theory]
    [InlineData(1, "00000001000000000000010B", 0x10BL << 20)]
    [InlineData(16, "000000010000000000000010", 0x10 * (16L << 20))]
    [InlineData(16, "0000000A00000001000000FF", (1L << 32) + (0xFF * (16L << 20)))]
    [InlineData(1, "000000010000000100000FFF", (1L << 32) + (0xFFF * (1L << 20)))]
    [InlineData(1024, "000000010000000200000003", (2L << 32) + (3 * (1L << 30)))]
    public void A_name_stands_for_its_range(int megabytes, string name, long start)
    {
        var size = new WalSegmentSize(megabytes << 20);

        WalSegment.TryParse(name, size, out var segment).ShouldBeTrue();

        segment.Start.Value.ShouldBe((ulong)start);
        segment.End.ShouldBe(segment.Start + ((ulong)megabytes << 20));
        segment.Name.ShouldBe(name);
        WalSegment.Holding(segment.Start, segment.Timeline, size).ShouldBe(segment);
        WalSegment.Holding(segment.End, segment.Timeline, size).ShouldBe(segment.Next);
    }

    [Theory]
    [InlineData(16, "000000010000000000000100")] // the low part runs to FF with 16 MB
    [InlineData(1024, "000000010000000000000004")] // and to 3 with 1 GB
    [InlineData(16, "000000000000000000000001")] // no timeline is 0
    [InlineData(16, "00000001000000000000001")]
    [InlineData(16, "0000000100000000000000010")]
    [InlineData(16, "00000001000000000000000a")] // PostgreSQL writes capitals only
    [InlineData(16, "00000001000000000000000G")]
    [InlineData(16, "00000001 00000000000000A")]
    [InlineData(16, "000000010000000000000001.partial")]
    [InlineData(16, "00000001FFFFFFFF000000FF")] // its end is not an LSN
    public void Other_names_are_refused(int megabytes, string name) =>
        WalSegment.TryParse(name, new WalSegmentSize(megabytes << 20), out _).ShouldBeFalse();

    [Fact]
    public void Every_position_lies_in_the_segment_that_holds_it() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<ulong>(), SizeExponents,
            (value, exponent) =>
            {
                var size = new WalSegmentSize(1 << exponent);
                var lsn = new Lsn(value >> 1);
                var segment = WalSegment.Holding(lsn, 7, size);
                return segment.Start <= lsn && lsn < segment.End && segment.Holds(lsn)
                    && segment.Start == size.RoundDown(lsn) && size.OffsetOf(lsn) == (int)(lsn - segment.Start);
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void Names_read_back_and_order_as_their_positions_do() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<uint>(), ArbMap.Default.ArbFor<ulong>(), SizeExponents,
            (timeline, value, exponent) =>
            {
                var size = new WalSegmentSize(1 << exponent);
                var segment = WalSegment.Holding(new Lsn(value >> 1), Math.Max(timeline, 1), size);
                return WalSegment.TryParse(segment.Name, size, out var same) && same == segment
                    && string.CompareOrdinal(segment.Name, segment.Next.Name) < 0;
            }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("1MB", 1 << 20)]
    [InlineData("16MB", 16 << 20)]
    [InlineData("1024MB", 1 << 30)]
    [InlineData("1GB", 1 << 30)]
    [InlineData("16384kB", 16 << 20)]
    [InlineData("16777216B", 16 << 20)]
    [InlineData("16777216", 16 << 20)]
    public void A_size_is_read_with_its_unit(string text, int bytes) => WalSegmentSize.Parse(text).Bytes.ShouldBe(bytes);

    [Theory]
    [InlineData("")]
    [InlineData("MB")]
    [InlineData("16 MB")]
    [InlineData("16mb")]
    [InlineData("3MB")]
    [InlineData("512kB")]
    [InlineData("2GB")]
    [InlineData("-1MB")]
    [InlineData("99999999999GB")]
    public void Other_sizes_are_refused(string text) => Should.Throw<FormatException>(() => WalSegmentSize.Parse(text));

    [Fact]
    public void A_size_prints_as_the_server_prints_it() =>
        Prop.ForAll(SizeExponents, exponent => WalSegmentSize.Parse(new WalSegmentSize(1 << exponent).ToString()) == new WalSegmentSize(1 << exponent))
            .QuickCheckThrowOnFailure();

    [Fact]
    public void A_size_that_was_never_set_is_not_used() => Should.Throw<InvalidOperationException>(() => default(WalSegmentSize).Bytes);
}
