using FsCheck;
using FsCheck.Fluent;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

public sealed class LsnTests
{
    [Theory]
    [InlineData("0/0", 0UL)]
    [InlineData("16/B374D848", 0x16_B374D848UL)]
    [InlineData("1/A", 0x1_0000000AUL)]
    [InlineData("FFFFFFFF/FFFFFFFF", ulong.MaxValue)]
    public void It_reads_and_writes_as_postgres_does(string text, ulong value)
    {
        Lsn.Parse(text).Value.ShouldBe(value);
        new Lsn(value).ToString().ShouldBe(text);
    }

    [Theory]
    [InlineData("1/0000000a", 0x1_0000000AUL)]
    [InlineData("00000001/a", 0x1_0000000AUL)]
    public void It_reads_padding_and_small_letters(string text, ulong value) => Lsn.Parse(text).Value.ShouldBe(value);

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("1")]
    [InlineData("1/")]
    [InlineData("/1")]
    [InlineData(" 1/1")]
    [InlineData("1/1 ")]
    [InlineData("1/ 1")]
    [InlineData("+1/1")]
    [InlineData("1/-1")]
    [InlineData("0x1/1")]
    [InlineData("1/1/1")]
    [InlineData("123456789/1")]
    [InlineData("1/123456789")]
    [InlineData("G/1")]
    public void It_refuses_what_postgres_refuses(string text)
    {
        Lsn.TryParse(text, out _).ShouldBeFalse();
        Should.Throw<FormatException>(() => Lsn.Parse(text)).Message.ShouldContain("is not an LSN");
    }

    [Fact]
    public void What_is_written_reads_back() =>
        Prop.ForAll<ulong>(value => Lsn.Parse(new Lsn(value).ToString()) == new Lsn(value)).QuickCheckThrowOnFailure();

    [Fact]
    public void Order_and_distance_are_those_of_the_bytes() =>
        Prop.ForAll<ulong, uint>(
            (value, distance) =>
            {
                var start = new Lsn(value >> 1);
                var end = start + distance;
                return end >= start && end - start == distance && end - (ulong)distance == start && Lsn.Max(start, end) == end && Lsn.Min(start, end) == start;
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void Arithmetic_does_not_wrap()
    {
        Should.Throw<OverflowException>(() => new Lsn(ulong.MaxValue) + 1);
        Should.Throw<OverflowException>(() => new Lsn(1) - 2UL);
        Should.Throw<OverflowException>(() => new Lsn(1) - new Lsn(2));
    }
}
