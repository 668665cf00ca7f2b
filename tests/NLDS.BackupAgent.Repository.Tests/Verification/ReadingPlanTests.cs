using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Repository.Tests.Verification;

public sealed class ReadingPlanTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 5, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    [Fact]
    public void By_hand_everything_is_read() => Choose(VerifyScope.All, null, 0, 5, 40).ShouldBe([0, 1, 2, 3]);

    [Fact]
    public void What_is_new_is_read_and_no_proof_is_too_old() => Choose(VerifyScope.New, null, 0, 4000).ShouldBe([0]);

    [Fact]
    public void A_daily_run_reads_what_is_new_and_what_is_too_old() => Choose(VerifyScope.Daily(Month), null, 0, 30, 5, 31).ShouldBe([0, 2, 4]);

    [Fact]
    public void A_proof_from_the_future_is_no_proof() => Choose(VerifyScope.New, -1, 1).ShouldBe([0]);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(29)]
    [InlineData(30)]
    [InlineData(54)]
    [InlineData(1000)]
    public void Daily_runs_read_everything_within_the_month_and_never_much_on_one_day(int count)
    {
        // All were read on one day, as after the first run.
        var verified = Enumerable.Repeat<DateTimeOffset?>(Now, count).ToArray();
        var mostInOneRun = (count + 29) / 30;
        long read = 0;
        for (var day = 1; day <= 120; day++)
        {
            var now = Now.AddDays(day);
            var chosen = ReadingPlan.Choose([.. verified.Select((v, index) => (index, v))], now, VerifyScope.Daily(Month));
            chosen.Count.ShouldBeLessThanOrEqualTo(mostInOneRun, $"day {day}");
            read += chosen.Count;
            foreach (var index in chosen)
            {
                verified[index] = now;
            }

            verified.ShouldAllBe(v => now - v <= Month);
        }

        read.ShouldBeInRange(4L * count - count, 120L * mostInOneRun);
        (count < 30 ? read <= 6L * count : true).ShouldBeTrue($"{count} are read {read} times in 120 days");
    }

    [Fact]
    public void After_a_long_pause_all_that_is_too_old_is_read_at_once() =>
        Choose(VerifyScope.Daily(Month), [.. Enumerable.Repeat<int?>(45, 100)]).Count.ShouldBe(100);

    private static IReadOnlyList<int> Choose(VerifyScope scope, params int?[] agesInDays) =>
        ReadingPlan.Choose([.. agesInDays.Select((age, index) => (index, age is { } days ? Now.AddDays(-days) : (DateTimeOffset?)null))], Now, scope);
}
