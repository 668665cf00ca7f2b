using System.Text;
using FsCheck;
using FsCheck.Fluent;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

public sealed class TimelineHistoryTests
{
    private const string Third = "# a comment\n1\t0/3000060\tno recovery target specified\n\n   \n2\t0/5000000\tbefore 2026-11-23 12:00:00+00\n";

    [Fact]
    public void A_file_is_read_with_its_comments_and_empty_lines()
    {
        var history = TimelineHistory.Parse(3, Third);

        history.Timeline.ShouldBe(3u);
        history.Start.ShouldBe(Lsn.Parse("0/5000000"));
        history.Ancestors.ShouldBe(
        [
            new TimelineSwitch(1, Lsn.Parse("0/3000060"), "no recovery target specified"),
            new TimelineSwitch(2, Lsn.Parse("0/5000000"), "before 2026-11-23 12:00:00+00"),
        ]);
        history.SwitchPointOf(1).ShouldBe(Lsn.Parse("0/3000060"));
        history.SwitchPointOf(3).ShouldBeNull();
        history.Contains(2).ShouldBeTrue();
        history.Contains(4).ShouldBeFalse();
    }

    /// <summary>The server copies the parent's file, adds an empty line in case that it lacked its last newline, and then its own line (timeline.c, writeTimeLineHistory).</summary>
    [Fact]
    public void A_file_holds_its_parents_byte_for_byte()
    {
        const string second = "1\t0/3000060\tno recovery target specified\n";
        const string third = second + "\n2\t0/5000000\tat restore point \"a\"\n";
        const string fourth = third + "\n3\t0/6000000\tno recovery target specified\n";

        ParentOf(4, fourth).ShouldBe((3u, third));
        ParentOf(3, third).ShouldBe((2u, second));
        ParentOf(2, second).ShouldBeNull();

        static (uint, string)? ParentOf(uint timeline, string content) =>
            TimelineHistory.ParentOf(timeline, Encoding.UTF8.GetBytes(content)) is var (parent, bytes) ? (parent, Encoding.UTF8.GetString(bytes)) : null;
    }

    [Theory]
    [InlineData("0/0", 1)]
    [InlineData("0/300005F", 1)]
    [InlineData("0/3000060", 2)]
    [InlineData("0/4FFFFFF", 2)]
    [InlineData("0/5000000", 3)]
    [InlineData("F/0", 3)]
    public void A_switch_point_is_the_childs_first_byte(string lsn, int owner) =>
        TimelineHistory.Parse(3, Third).TimelineOwning(Lsn.Parse(lsn)).ShouldBe((uint)owner);

    [Theory]
    [InlineData("x\t0/1\treason", "expected a timeline number first")]
    [InlineData("0\t0/1\treason", "expected a timeline number first")]
    [InlineData("1", "expected a switch point")]
    [InlineData("1\tnowhere\treason", "expected a switch point")]
    [InlineData("2\t0/1\tr\n1\t0/2\tr", "must rise")]
    [InlineData("1\t0/2\tr\n2\t0/1\tr", "must rise")]
    [InlineData("1\t0/2\tr\n1\t0/3\tr", "must rise")]
    [InlineData("3\t0/1\tr", "must be below its child's")]
    public void A_damaged_line_is_named(string content, string why)
    {
        var failure = Should.Throw<FormatException>(() => TimelineHistory.Parse(3, content));

        failure.Message.ShouldStartWith("00000003.history is damaged at the line '");
        failure.Message.ShouldContain(why);
    }

    [Fact]
    public void A_reason_may_be_missing() => TimelineHistory.Parse(2, "1\t0/1").Ancestors[0].Reason.ShouldBe("");

    [Fact]
    public void The_first_timeline_owns_everything() =>
        Prop.ForAll<ulong>(lsn => TimelineHistory.WithoutAncestors(1).TimelineOwning(new Lsn(lsn)) == 1).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_position_belongs_to_the_first_timeline_that_ended_after_it() =>
        Prop.ForAll<ulong[], ulong>(
            (points, lsn) =>
            {
                Array.Sort(points);
                var content = string.Concat(points.Select((point, index) => $"{index + 1}\t{new Lsn(point)}\treason\n"));
                var history = TimelineHistory.Parse((uint)points.Length + 1, content);
                return history.TimelineOwning(new Lsn(lsn)) == (uint)points.Count(point => point <= lsn) + 1;
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_file_is_named_after_its_timeline()
    {
        TimelineHistory.FileName(0x1A).ShouldBe("0000001A.history");
        TimelineHistory.TryParseFileName("0000001A.history", out var timeline).ShouldBeTrue();
        timeline.ShouldBe(0x1Au);
    }

    [Theory]
    [InlineData("00000000.history")]
    [InlineData("0000001a.history")]
    [InlineData("1A.history")]
    [InlineData("0000001A.History")]
    [InlineData("0000001A")]
    public void Other_names_are_no_history_files(string name) => TimelineHistory.TryParseFileName(name, out _).ShouldBeFalse();
}
