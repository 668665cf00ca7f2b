using NLDS.BackupAgent.Postgres.Verification;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Tests.Verification;

public sealed class RestorableSpansTests
{
    [Fact]
    public void Behind_a_backup_up_to_the_end_of_the_log() => Of([(10, 20)], []).ShouldBe([new LogRange(20, 101)]);

    [Fact]
    public void Up_to_a_hole_and_again_from_the_next_backup_behind_it() =>
        Of([(10, 20), (60, 70)], [new LogRange(40, 50)]).ShouldBe([new LogRange(20, 41), new LogRange(70, 101)]);

    [Fact]
    public void A_hole_before_a_backup_costs_it_nothing() => Of([(50, 60)], [new LogRange(40, 50)]).ShouldBe([new LogRange(60, 101)]);

    [Fact]
    public void A_hole_within_what_a_backup_needs_makes_it_useless() => Of([(10, 20), (30, 60)], [new LogRange(40, 50)]).ShouldBe([new LogRange(20, 41)]);

    [Fact]
    public void What_a_second_backup_reaches_is_not_counted_twice() => Of([(10, 20), (30, 40)], []).ShouldBe([new LogRange(20, 101)]);

    [Fact]
    public void The_difference_is_what_was_lost()
    {
        RestorableSpans.Without([new LogRange(20, 101)], [new LogRange(20, 41), new LogRange(70, 101)]).ShouldBe([new LogRange(41, 70)]);
        RestorableSpans.Without([new LogRange(20, 30)], [new LogRange(0, 100)]).ShouldBeEmpty();
    }

    private static IReadOnlyList<LogRange> Of((ulong, ulong)[] backups, LogRange[] holes) => RestorableSpans.Of(backups, holes, 100);
}
