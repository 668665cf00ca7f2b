using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>Backups that build upon others, and what retention and listings make of them.</summary>
public sealed class ChainTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Of twelve days in chains of four: three days, two weeks, and what those build upon.</summary>
    private static readonly string[] Kept =
        ["20260305_020000", "20260306_020000", "20260307_020000", "20260308_020000", "20260309_020000", "20260310_020000", "20260311_020000", "20260312_020000"];

    [Fact]
    public void What_a_kept_backup_builds_upon_is_kept_through_the_whole_chain_and_says_for_whom()
    {
        List<RetentionCandidate> days = [.. Histories.Daily("2026-06-01T02:00Z", "2026-06-06T02:00Z")];
        for (var i = 1; i < days.Count; i++)
        {
            days[i] = days[i] with { Parent = i == 3 ? null : days[i - 1].Id };
        }

        var decisions = RetentionDecisions.Decide(days, new RetentionPolicy { KeepLast = 1 }, Histories.Utc("2026-06-06T04:30Z"));

        decisions.Select(d => d.IsKept).ShouldBe([false, false, false, true, true, true]);
        decisions[4].KeptBecause.ShouldBe(["20260606_020000 builds upon it"]);
        decisions[3].KeptBecause.ShouldBe(["20260605_020000 builds upon it"]);
    }

    [Fact]
    public void What_a_held_backup_builds_upon_is_kept()
    {
        List<RetentionCandidate> days = [.. Histories.Daily("2026-06-01T02:00Z", "2026-06-06T02:00Z")];
        days[1] = days[1] with { Parent = days[0].Id, Hold = "audit" };

        var decisions = RetentionDecisions.Decide(days, new RetentionPolicy { KeepLast = 1 }, Histories.Utc("2026-06-06T04:30Z"));

        decisions.Select(d => d.IsKept).ShouldBe([true, true, false, false, false, true]);
        decisions[0].KeptBecause.ShouldBe(["20260602_020000 builds upon it"]);
    }

    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.LostAnswer)]
    public async Task Wherever_a_prune_breaks_off_no_backup_is_left_without_what_it_builds_upon(Fault fault)
    {
        var calls = int.MaxValue;
        for (var failing = 1; failing <= calls; failing++)
        {
            var clock = new ManualClock(PruneBench.First);
            var inner = new MemoryObjectStore(clock);
            using var store = new FaultyObjectStore(inner);
            var bench = new PruneBench(clock, inner, _ => store);
            await bench.FillWithChainsAsync(12, length: 4);
            store.FailCall(store.Calls + failing, fault);
            var before = store.Calls;
            try
            {
                await bench.PruneAsync();
                calls = store.Calls - before < failing ? store.Calls - before : calls;
            }
            catch (ObjectStoreException)
            {
            }

            store.FailWhen((_, _) => null);
            await bench.RequireWholeAsync(Kept, $"call {failing} {fault}");
            (await bench.PruneAsync()).Left.ShouldBeEmpty();
            await bench.RequireWholeAsync(Kept, $"after call {failing} {fault}");
            (await bench.IdsAsync()).ShouldBe(Kept);
        }

        calls.ShouldBeGreaterThan(20);
    }

    [Fact]
    public async Task A_backup_that_is_held_while_a_prune_is_at_work_keeps_what_it_builds_upon()
    {
        var clock = new ManualClock(PruneBench.First);
        var inner = new MemoryObjectStore(clock);
        var bench = new PruneBench(clock, inner, store => new HidingStore(store, key => key.Name is "hold.json"));
        await bench.FillWithChainsAsync(12, length: 4);
        await bench.Behind.ReplaceAsync(new ObjectKey("source/full/20260303_020000/hold.json"), "{}"u8.ToArray(), None);

        var report = await bench.PruneAsync();

        report.Left.ShouldBe(
        [
            "backup 20260303_020000: held meanwhile",
            "backup 20260302_020000: 20260303_020000 builds upon it and has stayed",
            "backup 20260301_020000: 20260302_020000 builds upon it and has stayed",
        ]);
        (await bench.IdsAsync()).ShouldBe(["20260301_020000", "20260302_020000", "20260303_020000", .. Kept]);
    }

    [Fact]
    public async Task A_backup_without_what_it_builds_upon_is_damaged_takes_nobodys_place_and_the_log_stays()
    {
        var bench = new PruneBench { Retention = new RetentionRules { KeepLast = 2, KeepDaily = 0, KeepWeekly = 0, KeepMonthly = 0, RecoveryWindow = TimeSpan.FromDays(2) } };
        await bench.FillWithChainsAsync(7, length: 4);
        await bench.Behind.DeleteAsync([new ObjectKey("source/full/20260305_020000/manifest.json")], None);

        var listing = await bench.Repository.ListBackupsAsync(bench.Layout, None);
        listing.Select(b => b.Id.ToString()).ShouldBe(["20260301_020000", "20260302_020000", "20260303_020000", "20260304_020000"]);
        listing.Damaged.Select(d => d.Reason).ShouldBe(
        [
            "Backup 20260306_020000 holds only what changed since backup 20260305_020000, which is missing from the repository.",
            "Backup 20260307_020000 holds only what changed since backup 20260306_020000, which cannot be restored itself.",
        ]);
        var plan = await bench.PlanAsync();
        plan.Going.ShouldBeEmpty();
        plan.Log.ShouldBeNull();
        plan.Warnings.ShouldContain(w => w.Contains("20260306_020000 holds only what changed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_backup_is_verified_when_all_that_it_builds_upon_is()
    {
        var bench = new PruneBench { Retention = new RetentionRules { KeepLast = 1, KeepDaily = 0, KeepWeekly = 0, KeepMonthly = 0, RecoveryWindow = TimeSpan.Zero } };
        await bench.FillWithChainsAsync(5, length: 1);
        var child = await bench.TakeAsync(parent: (await bench.Repository.ListBackupsAsync(bench.Layout, None))[^1].Id);
        await bench.Behind.ReplaceAsync(new ObjectKey("source/full/20260302_020000/verified.json"), "{}"u8.ToArray(), None);
        await bench.Behind.ReplaceAsync(new ObjectKey($"source/full/{child.Id}/verified.json"), "{}"u8.ToArray(), None);

        (await bench.PlanAsync()).Backups.Single(b => b.Decision.KeptBecause.Contains("newest verified")).Backup.Id.ToString().ShouldBe("20260302_020000");
    }
}
