using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

public sealed class RetentionDecisionsTests
{
    private static readonly RetentionPolicy Gfs = RetentionPolicy.Standard with { RecoveryWindow = TimeSpan.Zero };

    [Fact]
    public void Of_a_year_of_daily_backups_thirty_twelve_and_twelve_keep_forty_seven()
    {
        var decisions = Decide(Histories.Daily("2025-11-23T02:00Z", "2026-11-22T02:00Z"), Gfs, "2026-11-22T04:30Z");

        decisions.Count(d => d.IsKept).ShouldBe(47);
        Golden.Require("a-year-of-days", decisions);
    }

    [Fact]
    public void Five_minute_backups_keep_as_many_days_weeks_and_months()
    {
        var decisions = Decide(Histories.Every(TimeSpan.FromMinutes(5), "2025-11-23T00:00Z", "2026-11-22T02:00Z"), Gfs, "2026-11-22T04:30Z");

        decisions.Count(d => d.IsKept).ShouldBe(47);
    }

    [Fact]
    public void Weeks_are_ISO_weeks_over_the_turn_of_the_year()
    {
        // 2026-W01 begins on 2025-12-29, and 2027-01-01 lies in 2026-W53.
        var policy = new RetentionPolicy { KeepWeekly = 4 };

        Golden.Require("weeks-in-january", Decide(Histories.Daily("2025-12-15T02:00Z", "2026-01-04T02:00Z"), policy, "2026-01-04T04:30Z"));
        Golden.Require("weeks-in-2027", Decide(Histories.Daily("2026-12-20T02:00Z", "2027-01-05T02:00Z"), policy, "2027-01-05T04:30Z"));
    }

    [Fact]
    public void A_week_and_a_month_of_one_number_are_two_things()
    {
        // kopia 5096: week 05 and month 05 shared one memory.
        var policy = new RetentionPolicy { KeepWeekly = 60, KeepMonthly = 14 };
        var decisions = Decide(Histories.Daily("2025-11-24T02:00Z", "2026-11-23T02:00Z"), policy, "2026-11-23T04:30Z");

        decisions.SelectMany(d => d.KeptBecause).Count(r => r.StartsWith("weekly", StringComparison.Ordinal)).ShouldBe(53);
        decisions.SelectMany(d => d.KeptBecause).Count(r => r.StartsWith("monthly", StringComparison.Ordinal)).ShouldBe(13);
    }

    [Fact]
    public void Days_without_a_backup_consume_nothing()
    {
        var backups = Histories.Daily("2026-06-01T02:00Z", "2026-07-31T02:00Z").Concat(Histories.Daily("2026-10-01T02:00Z", "2026-10-03T02:00Z"));

        Golden.Require("after-an-outage", Decide(backups, new RetentionPolicy { KeepDaily = 10 }, "2026-10-03T04:30Z"));
    }

    [Fact]
    public void The_last_and_what_is_recent_are_kept_beside_the_days_and_the_window_begins_with_a_backup()
    {
        var policy = new RetentionPolicy { KeepLast = 3, KeepWithin = TimeSpan.FromHours(12), KeepDaily = 2, RecoveryWindow = TimeSpan.FromDays(3) };

        Golden.Require("six-hourly", Decide(Histories.Every(TimeSpan.FromHours(6), "2026-11-18T00:00Z", "2026-11-23T00:00Z"), policy, "2026-11-23T01:00Z"));
    }

    [Fact]
    public void Held_verified_and_future_backups_stay_whatever_the_policy_says()
    {
        var backups = Histories.Daily("2026-11-01T02:00Z", "2026-11-10T02:00Z").Append(Histories.At(Histories.Utc("2027-03-01T02:00Z")))
            .Select((b, index) => b with { IsVerified = index is 2 or 4, Hold = index == 1 ? "audit 2026" : index == 3 ? "" : null });

        Golden.Require("held-verified-future", Decide(backups, new RetentionPolicy { KeepLast = 1 }, "2026-11-10T04:30Z"));
    }

    [Fact]
    public void While_there_are_few_all_are_kept() =>
        Decide(Histories.Daily("2026-11-14T02:00Z", "2026-11-23T02:00Z"), Gfs, "2026-11-23T04:30Z").ShouldAllBe(d => d.IsKept);

    [Fact]
    public void The_oldest_is_kept_while_any_count_is_left()
    {
        var decisions = Decide(Histories.Every(TimeSpan.FromHours(1), "2026-11-23T00:00Z", "2026-11-23T05:00Z"), new RetentionPolicy { KeepDaily = 3 }, "2026-11-23T06:00Z");

        decisions.Where(d => d.IsKept).Select(d => string.Join(", ", d.KeptBecause)).ShouldBe(["oldest daily 2026-11-23", "newest, daily 2026-11-23"]);
        decisions[1].GoesBecause.ShouldBe("a newer backup stands for daily 2026-11-23");
    }

    [Fact]
    public void Without_a_limit_every_day_is_kept() =>
        Decide(Histories.Daily("2025-11-24T02:00Z", "2026-11-23T02:00Z"), new RetentionPolicy { KeepDaily = RetentionPolicy.All }, "2026-11-23T04:30Z")
            .ShouldAllBe(d => d.IsKept);

    [Fact]
    public void Nothing_is_decided_about_nothing() => Decide([], Gfs, "2026-11-23T04:30Z").ShouldBeEmpty();

    [Fact]
    public void A_clock_that_jumps_ahead_changes_nothing()
    {
        // Counts and windows hang on the backups, not on now.
        var backups = Histories.Daily("2026-01-01T02:00Z", "2026-11-23T02:00Z").ToList();
        var policy = RetentionPolicy.Standard with { KeepWithin = TimeSpan.FromDays(40) };

        Kept(Decide(backups, policy, "2036-11-23T04:30Z")).ShouldBe(Kept(Decide(backups, policy, "2026-11-23T04:30Z")));
    }

    [Fact]
    public void A_clock_that_jumps_back_removes_nothing_of_what_is_then_the_future_and_nothing_more_of_the_past()
    {
        var backups = Histories.Daily("2026-01-01T02:00Z", "2026-11-23T02:00Z").ToList();
        var back = Decide(backups, Gfs, "2026-07-01T04:30Z");

        back.Where(d => d.Id.Began > Histories.Utc("2026-07-01T04:30Z")).ShouldAllBe(d => d.KeptBecause.Contains("dated in the future"));
        Kept(back).Where(id => id.Began < Histories.Utc("2026-07-02T00:00Z"))
            .ShouldBe(Kept(Decide([.. backups.Where(b => b.Id.Began < Histories.Utc("2026-07-02T00:00Z"))], Gfs, "2026-07-01T04:30Z")));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_was_backed_up_and_whatever_the_policy_the_promises_hold(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var where = $"seed {seed}, round {round}";
            var now = Histories.Utc("2027-01-02T12:00Z").AddDays(random.Next(800));
            List<RetentionCandidate> backups = [.. Enumerable.Range(0, random.Next(1, 120))
                .Select(_ => Histories.At(now.AddMinutes(-random.NextInt64(60 * 24 * random.Next(1, 600)) + random.Next(200))))
                .DistinctBy(b => b.Id)
                .Select(b => b with { IsVerified = random.Next(4) == 0, Hold = random.Next(20) == 0 ? "why" : null })];
            RetentionPolicy policy = new()
            {
                KeepLast = random.Next(4), KeepDaily = random.Next(-1, 9), KeepWeekly = random.Next(-1, 5), KeepMonthly = random.Next(-1, 4),
                KeepWithin = TimeSpan.FromHours(random.Next(100)), RecoveryWindow = TimeSpan.FromDays(random.Next(10)),
            };

            var decisions = RetentionDecisions.Decide(backups, policy, now);
            var kept = Kept(decisions);
            var past = backups.Where(b => b.Id.Began <= now).ToList();

            decisions.Select(d => d.Id).ShouldBe(backups.Select(b => b.Id).Order(), where);
            decisions.ShouldAllBe(d => d.IsKept == (d.GoesBecause == null), where);
            if (past.Count > 0)
            {
                kept.ShouldContain(past.Max(b => b.Id), where);
            }

            if (past.Where(b => b.IsVerified).MaxBy(b => b.Id) is { } verified)
            {
                kept.ShouldContain(verified.Id, where);
            }

            backups.Where(b => b.Hold is not null || b.Id.Began > now).ShouldAllBe(b => kept.Contains(b.Id), where);
            RequireWindow(past, kept, policy, where);

            // Twice is once, in any order, and in any zone of time.
            Kept(RetentionDecisions.Decide(backups.Where(b => kept.Contains(b.Id)), policy, now)).ShouldBe(kept, where);
            backups.Reverse();
            Kept(RetentionDecisions.Decide(backups, policy, now.ToOffset(TimeSpan.FromHours(random.Next(-12, 13))))).ShouldBe(kept, where);
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public void Pruned_every_day_there_is_always_a_backup_for_each_day_week_and_month_that_is_promised(int seed)
    {
        var random = new Random(seed);
        List<RetentionCandidate> backups = [];
        for (var day = 0; day < 900; day++)
        {
            var now = Histories.Utc("2025-01-01T04:30Z").AddDays(day);
            if (random.Next(10) > 0)
            {
                backups.Add(Histories.At(now.AddMinutes(-random.Next(200))));
            }

            var kept = Kept(RetentionDecisions.Decide(backups, Gfs, now));
            backups.RemoveAll(b => !kept.Contains(b.Id));
            backups.Select(b => b.Id.Began.UtcDateTime.Date).Distinct().Count().ShouldBeGreaterThanOrEqualTo(Math.Min(30, backups.Count), $"seed {seed}, day {day}");
        }

        backups.Count.ShouldBeInRange(44, 50, $"seed {seed}");
        backups.Select(b => b.Id.Began.ToString("yyyy-MM", null)).Distinct().Count().ShouldBe(12, $"seed {seed}");
    }

    /// <summary>From the backup that the window begins with, every moment of it can be restored.</summary>
    private static void RequireWindow(List<RetentionCandidate> past, HashSet<BackupId> kept, RetentionPolicy policy, string where)
    {
        if (policy.RecoveryWindow > TimeSpan.Zero && past.Count > 0)
        {
            var begins = past.Max(b => b.Id.Began) - policy.RecoveryWindow;
            past.Where(b => b.Ended <= begins).Select(b => b.Id).DefaultIfEmpty(kept.Min()).Max().ShouldBeOneOf([.. kept], where);
        }
    }

    private static IReadOnlyList<RetentionDecision> Decide(IEnumerable<RetentionCandidate> backups, RetentionPolicy policy, string now) =>
        RetentionDecisions.Decide(backups, policy, Histories.Utc(now));

    private static HashSet<BackupId> Kept(IReadOnlyList<RetentionDecision> decisions) => [.. decisions.Where(d => d.IsKept).Select(d => d.Id)];
}
