using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.Tests.CommandStream;

public sealed class StreamNamingTests
{
    private const string Id = "0123456789abcdef0123456789abcdef01234567";

    [Fact]
    public void Segments_follow_from_where_the_writer_began()
    {
        var naming = new StreamNaming(origin: 1001);

        naming.SegmentAt(1001).ShouldBe(new LogRange(1001, 1001 + StreamNaming.SegmentBytes));
        naming.SegmentAt(1000 + StreamNaming.SegmentBytes).Start.ShouldBe(1001u);
        naming.SegmentAt(1001 + StreamNaming.SegmentBytes).Start.ShouldBe(1001 + StreamNaming.SegmentBytes);
    }

    [Fact]
    public void A_name_says_lineage_and_range_to_any_reader()
    {
        var segment = new LogRange(1001, 1001 + StreamNaming.SegmentBytes);
        var name = new StreamNaming(1001).Name(Id, segment);

        name.ShouldBe(Id + "-00000000000003e9");
        new StreamNaming().TryParse(name, out var lineage, out var range).ShouldBeTrue();
        (lineage, range).ShouldBe((Id, segment));
    }

    [Theory]
    [InlineData("")]
    [InlineData("confirmed.json")]
    [InlineData(Id)]
    [InlineData(Id + "-3e9")]
    [InlineData(Id + "-ffffffffffffffff")]
    [InlineData("../../../../../../../../../../../../etc-00000000000003e9")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF01234567-00000000000003e9")]
    public void Other_names_are_none(string name) => new StreamNaming().TryParse(name, out _, out _).ShouldBeFalse();
}
