using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Schedules;

public sealed class SnapshotDueTests
{
    private static readonly DateTimeOffset Due = FakeSource.Day;

    private static readonly SnapshotSituation Healthy = new() { Now = Due.AddHours(3), NewestBegan = Due, LastDue = Due };

    [Fact]
    public void Nothing_is_due_after_a_punctual_backup() => SnapshotDue.Reason(Healthy).ShouldBeNull();

    [Fact]
    public void The_first_backup_is_due_at_once() => SnapshotDue.Reason(Healthy with { NewestBegan = null }).ShouldBe("there is no backup yet");

    [Fact]
    public void A_missed_firing_is_caught_up() =>
        SnapshotDue.Reason(Healthy with { NewestBegan = Due.AddDays(-1) }).ShouldBe("the one due at 2026-07-26 02:00:00Z is missing");

    [Fact]
    public void The_schedule_gets_its_chance_first() =>
        SnapshotDue.Reason(Healthy with { NewestBegan = Due.AddDays(-1), Now = Due.AddSeconds(14) }).ShouldBeNull();

    [Fact]
    public void What_the_log_needs_is_due() => SnapshotDue.Reason(Healthy with { Needed = "a gap at 0/1" }).ShouldBe("a gap at 0/1");

    [Fact]
    public void A_need_that_a_backup_did_not_end_is_answered_again_only_after_ten_minutes()
    {
        var answered = Healthy with { Needed = "a gap", Runs = new JobState { LastSuccess = Healthy.Now.AddMinutes(-9) } };

        SnapshotDue.Reason(answered).ShouldBeNull();
        SnapshotDue.Reason(answered with { Now = answered.Now.AddMinutes(2) }).ShouldBe("a gap");
    }

    [Fact]
    public void A_restore_that_would_take_too_long_makes_a_backup_due_a_few_times_a_day()
    {
        var slow = Healthy with { Forecast = TimeSpan.FromMinutes(16), Objective = TimeSpan.FromMinutes(15), EarlyEvery = TimeSpan.FromHours(6), Now = Due.AddHours(6) };

        SnapshotDue.Reason(slow).ShouldNotBeNull().ShouldContain("the objective is");
        SnapshotDue.Reason(slow with { Now = Due.AddHours(5) }).ShouldBeNull();
        SnapshotDue.Reason(slow with { Forecast = TimeSpan.FromMinutes(15) }).ShouldBeNull();
        SnapshotDue.Reason(slow with { EarlyEvery = null }).ShouldBeNull();
    }

    [Fact]
    public void Nothing_is_due_while_a_run_is_under_way() =>
        SnapshotDue.Reason(Healthy with { NewestBegan = null, Runs = new JobState { RunningSince = Due } }).ShouldBeNull();

    [Fact]
    public void Nothing_is_due_while_the_log_is_not_kept() =>
        SnapshotDue.Reason(Healthy with { NewestBegan = null, IsReachable = false }).ShouldBeNull();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(9, 15)]
    public void After_failures_it_waits_longer_each_time(int failures, int minutes)
    {
        var failed = Healthy with { NewestBegan = null, Runs = new JobState { FailuresInARow = failures, LastFailure = Healthy.Now } };

        SnapshotDue.Reason(failed with { Now = Healthy.Now.AddMinutes(minutes).AddSeconds(-1) }).ShouldBeNull();
        SnapshotDue.Reason(failed with { Now = Healthy.Now.AddMinutes(minutes) }).ShouldNotBeNull();
    }

    [Fact]
    public void Without_a_schedule_an_old_backup_is_good_enough() =>
        SnapshotDue.Reason(Healthy with { NewestBegan = Due.AddYears(-1), LastDue = null }).ShouldBeNull();
}
