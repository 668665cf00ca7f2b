using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

public sealed class PrunerTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    // 3 days, 2 weeks (W11 and W12), 1 month: of twenty days from March the first.
    private static readonly string[] Kept = ["20260315_020000", "20260318_020000", "20260319_020000", "20260320_020000"];

    [Fact]
    public async Task What_the_policy_keeps_stays_whole_and_the_rest_is_gone_without_a_trace()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);

        var plan = await bench.PlanAsync();
        var report = await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldBe(Kept);
        report.Left.ShouldBeEmpty();
        report.Backups.ShouldBe(16);
        plan.Going.Count().ShouldBe(16);
        (await bench.KeysAsync("source/full/")).Count.ShouldBe(Kept.Length * 4);
        await bench.RequireWholeAsync(Kept, "after it");

        // Days 0 to 13 and 16 of the log; 14 and 15 make the backup of the 15th consistent.
        (await bench.Log.ReadInventoryAsync(None)).Pieces.Select(p => p.Range.Start >> 20).ShouldBe([14, 15, 17, 18, 19, 20]);
        report.Objects.ShouldBe((16 * 4) + (15 * 2));
    }

    [Fact]
    public async Task A_directory_is_pruned_as_memory_is()
    {
        using var folder = new Testing.TemporaryDirectory();
        var options = new StorageOptions { Directory = new DirectoryOptions { Path = folder["backups"] } };
        var clock = new Testing.ManualClock(PruneBench.First);
        var bench = new PruneBench(clock, ObjectStores.Open(options, NullLoggerFactory.Instance, null, TimeProvider.System));
        await bench.FillAsync(20);

        (await bench.PruneAsync()).Left.ShouldBeEmpty();

        (await bench.IdsAsync()).ShouldBe(Kept);
        await bench.RequireWholeAsync(Kept, "after it");
        Directory.GetFiles(folder["backups/source/full"], "*", SearchOption.AllDirectories).Length.ShouldBe(Kept.Length * 4);
    }

    [Fact]
    public async Task An_encrypted_repository_is_pruned_only_by_a_holder_of_the_key_and_what_he_records_is_believed()
    {
        var clock = new Testing.ManualClock(PruneBench.First);
        var bench = new PruneBench(clock, new MemoryObjectStore(clock), key: Encryption.TestKeys.First);
        await bench.FillAsync(20);
        var keyless = new PruneBench(clock, bench.Store);
        var before = await bench.KeysAsync();

        (await Should.ThrowAsync<SourceException>(() => keyless.PruneAsync())).Message.ShouldContain("key");
        BackupId.TryParse(Kept[0], out var id).ShouldBeTrue();
        await Should.ThrowAsync<SourceException>(() => keyless.Holds.HoldAsync(bench.Layout, id, "", "me", None));
        (await bench.KeysAsync()).ShouldBe(before);

        (await bench.PruneAsync()).Left.ShouldBeEmpty();
        (await bench.IdsAsync()).ShouldBe(Kept);
        await bench.RequireWholeAsync(Kept, "after it");
        (await bench.Log.ReadInventoryAsync(None)).Pruned.Sections.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task A_plan_changes_nothing_and_says_what_a_prune_then_does()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var before = await bench.KeysAsync();

        var plan = await bench.PlanAsync(allowLarge: false);

        (await bench.KeysAsync()).ShouldBe(before);
        plan.Backups.Where(b => b.Decision.IsKept).Select(b => b.Backup.Id.ToString()).ShouldBe(Kept);
        plan.Log.ShouldNotBeNull().Stretches.Select(s => (s.From, s.To, s.Objects)).ShouldBe([("0", $"{14 << 20}", 14), ($"{16 << 20}", $"{17 << 20}", 1)]);
        plan.FreedBytes.ShouldBeGreaterThan(0);
        plan.Refusals.ShouldHaveSingleItem().ShouldContain("16 of 20");
    }

    [Fact]
    public async Task A_second_prune_has_nothing_to_do()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        await bench.PruneAsync();
        var after = await bench.KeysAsync();

        (await bench.PruneAsync()).Objects.ShouldBe(0);

        (await bench.KeysAsync()).ShouldBe(after);
    }

    [Fact]
    public async Task Pruned_every_day_the_repository_stays_small_and_sound()
    {
        var bench = new PruneBench();
        await bench.FillAsync(1);
        for (var day = 0; day < 60; day++)
        {
            bench.Clock.Advance(TimeSpan.FromHours(23.5));
            await bench.TakeAsync();
            await bench.PutSegmentAsync(PruneBench.DayOf(bench.Clock.GetUtcNow()) + 1);
            bench.Clock.Advance(TimeSpan.FromHours(0.5));
            await bench.PruneAsync(allowLarge: false);
            if (day > 3)
            {
                await bench.RequireWholeAsync([], $"day {day}");
            }
        }

        (await bench.IdsAsync()).Count.ShouldBeInRange(4, 6);
        (await bench.KeysAsync("source/log/pruned/")).Count.ShouldBe(2);
        (await bench.KeysAsync()).Count.ShouldBeLessThan(60);
    }

    [Fact]
    public async Task Files_side_by_side_are_pruned_as_folders_are()
    {
        var bench = new PruneBench() { Layout = new SnapshotLayout("source", "source/backup_", '.') };
        await bench.FillAsync(20);

        await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldBe(Kept);
        (await bench.KeysAsync("source/backup_")).Count.ShouldBe(Kept.Length * 4);
    }

    [Fact]
    public async Task A_held_backup_and_its_log_stay_until_it_is_released()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var held = (await bench.IdsAsync())[5];
        BackupId.TryParse(held, out var id).ShouldBeTrue();

        (await bench.Holds.HoldAsync(bench.Layout, id, "audit", "me@here", None)).ShouldBeTrue();
        (await bench.Holds.HoldAsync(bench.Layout, id, "again", "you@there", None)).ShouldBeFalse();
        await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldBe([held, .. Kept]);
        await bench.RequireWholeAsync([held, .. Kept], "held");
        (await bench.PlanAsync()).Backups[0].Decision.KeptBecause.ShouldBe(["held: audit"]);

        (await bench.Holds.ReleaseAsync(bench.Layout, id, None)).ShouldBeTrue();
        (await bench.Holds.ReleaseAsync(bench.Layout, id, None)).ShouldBeFalse();
        await bench.PruneAsync();
        (await bench.IdsAsync()).ShouldBe(Kept);
        (await bench.KeysAsync()).ShouldNotContain(key => key.Contains(held, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_hold_whose_document_is_damaged_still_holds()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var held = (await bench.IdsAsync())[5];
        await bench.Store.ReplaceAsync(new ObjectKey($"source/full/{held}/hold.json"), "{"u8.ToArray(), None);

        await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldContain(held);
    }

    [Fact]
    public async Task A_hold_or_a_proof_that_the_listing_did_not_show_is_found_before_anything_goes()
    {
        var bench = new PruneBench(inner => new HidingStore(inner, key => key.Name is "hold.json" or "verified.json"));
        await bench.FillAsync(20);
        var ids = await bench.IdsAsync();
        await bench.Behind.ReplaceAsync(new ObjectKey($"source/full/{ids[3]}/hold.json"), "{}"u8.ToArray(), None);
        await bench.Behind.ReplaceAsync(new ObjectKey($"source/full/{ids[4]}/verified.json"), "{}"u8.ToArray(), None);

        var report = await bench.PruneAsync();

        report.Left.ShouldBe([$"backup {ids[3]}: held meanwhile", $"backup {ids[4]}: verified meanwhile"]);
        await bench.RequireWholeAsync([ids[3], ids[4], .. Kept], "hidden");
        (await bench.KeysAsync()).ShouldNotContain(key => key.EndsWith("pruned.json", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_newest_verified_backup_stays()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var ids = await bench.IdsAsync();
        foreach (var verified in (string[])[ids[2], ids[6]])
        {
            await bench.Store.ReplaceAsync(new ObjectKey($"source/full/{verified}/verified.json"), "{}"u8.ToArray(), None);
        }

        await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldBe([ids[6], .. Kept]);
    }

    [Fact]
    public async Task Nothing_is_removed_when_the_newest_backup_is_too_old()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        bench.Clock.Advance(TimeSpan.FromDays(9));
        var before = await bench.KeysAsync();

        (await Should.ThrowAsync<SourceException>(() => bench.PruneAsync())).Message.ShouldContain("ended 10d ago");

        (await bench.KeysAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task Nothing_is_removed_by_an_empty_policy_or_when_more_than_half_would_go()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var empty = new PruneBench(bench.Clock, bench.Store) { Retention = new RetentionRules { RecoveryWindow = TimeSpan.FromDays(2) } };
        var before = await bench.KeysAsync();

        (await Should.ThrowAsync<SourceException>(() => empty.PruneAsync())).Message.ShouldContain("Set KeepDaily");
        (await Should.ThrowAsync<SourceException>(() => bench.PruneAsync(allowLarge: false))).Message.ShouldContain("prune source --allow-large");

        (await bench.KeysAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task A_backup_of_the_future_takes_no_place_and_is_never_removed()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var back = new PruneBench(new Testing.ManualClock(PruneBench.First.AddDays(10.1)), bench.Store);

        var plan = await back.PlanAsync();
        await back.PruneAsync();

        plan.Warnings.Count.ShouldBe(9);
        plan.Warnings.ShouldAllBe(w => w.Contains("dated in the future", StringComparison.Ordinal));
        (await bench.IdsAsync()).ShouldBe(["20260308_020000", .. Enumerable.Range(9, 12).Select(day => $"202603{day:D2}_020000")]);
    }

    [Fact]
    public async Task A_damaged_manifest_takes_no_place_is_left_alone_and_holds_all_of_the_log()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        var damaged = (await bench.IdsAsync())[19];
        await bench.Store.ReplaceAsync(new ObjectKey($"source/full/{damaged}/manifest.json"), "{"u8.ToArray(), None);
        var log = await bench.KeysAsync("source/log/");

        var report = await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldBe(["20260315_020000", "20260317_020000", .. Kept[1..3]]);
        (await bench.KeysAsync($"source/full/{damaged}/")).Count.ShouldBe(4);
        (await bench.KeysAsync("source/log/")).ShouldBe(log);
        report.Plan.Warnings.ShouldContain(w => w.Contains("No log of source is removed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_backup_that_is_being_taken_is_safe_with_all_the_log_that_it_needs()
    {
        var bench = new PruneBench(options: new RetentionOptions { SweepAfter = TimeSpan.FromDays(30) });
        await bench.FillAsync(10);
        await using var session = await bench.Repository.BeginBackupAsync(bench.Layout, None);
        await bench.PutSegmentAsync(11);
        for (var day = 0; day < 8; day++)
        {
            bench.Clock.Advance(TimeSpan.FromDays(1));
            await bench.TakeAsync();
        }

        await bench.PutSegmentAsync(19);
        var plan = await bench.PlanAsync();
        await bench.PruneAsync();
        var late = await bench.SealAsync(session, began: 10);

        plan.Unsealed.ShouldHaveSingleItem().Because.ShouldStartWith("running since 2026-03-11");
        plan.Backups.ShouldContain(b => b.Decision.KeptBecause.Contains("begins the log of a running backup"));

        // The log from the backup before it on is all there, although the window begins days later.
        (await bench.Log.ReadInventoryAsync(None)).Pieces.Select(p => p.Range.Start >> 20).Where(day => day > 9).ShouldBe([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
        await bench.RequireWholeAsync([late.Id.ToString()], "sealed late");
    }

    [Fact]
    public async Task What_a_dead_session_left_is_swept_after_its_time_and_not_before()
    {
        var bench = new PruneBench();
        await bench.FillAsync(10);
        var dead = await bench.Repository.BeginBackupAsync(bench.Layout, None);
        await using (var writer = dead.BeginObject("base.tar"))
        {
            await writer.WriteAsync(new byte[100], None);
            await dead.SealObjectAsync(writer, None);
        }

        // The process died: nobody disposes. A folder without a claim is known by its id, but its object is young.
        await bench.Store.PutIfAbsentAsync(new ObjectKey("source/full/20260301_000000/base.tar"), new byte[10], None);
        await bench.PruneAsync();
        (await bench.KeysAsync($"source/full/{dead.Id}/")).Count.ShouldBe(2);
        (await bench.KeysAsync("source/full/20260301_000000/")).Count.ShouldBe(1);

        bench.Clock.Advance(TimeSpan.FromDays(4));
        await bench.TakeAsync();
        var plan = await bench.PlanAsync();
        await bench.PruneAsync();

        plan.Unsealed.ShouldAllBe(u => u.Goes && u.Because.Contains("never sealed"));
        (await bench.KeysAsync()).ShouldNotContain(key => key.Contains(dead.Id.ToString(), StringComparison.Ordinal) || key.Contains("20260301_000000", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_id_whose_manifest_the_listing_does_not_show_is_not_swept()
    {
        const string hidden = "20260304_020000";
        var bench = new PruneBench(inner => new HidingStore(inner, key => key.Value == $"source/full/{hidden}/manifest.json"));
        await bench.FillAsync(20);

        var report = await bench.PruneAsync();

        report.Left.ShouldHaveSingleItem().ShouldContain("it has a manifest");
        (await bench.KeysAsync($"source/full/{hidden}/")).Count.ShouldBe(4);
    }

    [Fact]
    public async Task Named_moments_go_with_their_log_and_gaps_are_counted_for_ever()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        foreach (var day in (ulong[])[3, 14, 16, 18])
        {
            await bench.Log.RecordMarkAsync(new LogMark($"day {day}", PruneBench.Lineage, day << 20, (day << 20) + 1, PruneBench.First), None);
        }

        await bench.Log.RecordGapAsync(new LogGap(PruneBench.Lineage, 100, 200, "once", PruneBench.First), None);

        await bench.PruneAsync();

        var marks = new List<string>();
        await foreach (var mark in bench.Log.ReadMarksAsync(None))
        {
            marks.Add(mark.Name);
        }

        marks.ShouldBe(["day 14", "day 18"]);
        (await bench.Log.ReadInventoryAsync(None)).Gaps.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_prune_that_runs_out_of_time_leaves_all_sound_and_the_next_one_goes_on()
    {
        var clock = new Testing.ManualClock(PruneBench.First);
        var bench = new PruneBench(clock, new MemoryObjectStore(clock), inner => new TellingStore(inner, () => clock.Advance(TimeSpan.FromMinutes(5))));
        await bench.FillAsync(20);

        var runs = 0;
        IReadOnlyList<string> left;
        do
        {
            left = (await bench.PruneAsync(limit: TimeSpan.FromMinutes(30))).Left;
            await bench.RequireWholeAsync(Kept, $"run {++runs}");
        }
        while (left.Count > 0);

        runs.ShouldBeInRange(5, 25);
        (await bench.IdsAsync()).ShouldBe(Kept);
        (await bench.KeysAsync("source/full/")).Count.ShouldBe(Kept.Length * 4);
    }

    [Fact]
    public async Task What_the_store_keeps_locked_is_left_for_later_and_is_no_failure()
    {
        var until = Histories.Utc("2026-04-01T00:00Z");
        HashSet<string> locked = ["source/full/20260303_020000/manifest.json", "source/full/20260304_020000/base.tar", "source/log/A1_00000005"];
        var bench = new PruneBench(inner => new LockingStore(inner, key => locked.Contains(key.Value), until));
        await bench.FillAsync(20);

        var report = await bench.PruneAsync();

        report.Left.ShouldBe(
        [
            "backup 20260303_020000: locked by the store until 2026-04-01 00:00:00Z",
            "backup 20260304_020000: locked by the store until 2026-04-01 00:00:00Z",
            "log: locked by the store until 2026-04-01 00:00:00Z",
        ]);
        await bench.RequireWholeAsync(["20260303_020000", .. Kept], "locked");
        (await bench.KeysAsync()).ShouldNotContain("source/full/20260303_020000/pruned.json", "it exists whole, and nothing of it has begun to go");
        (await bench.IdsAsync()).ShouldBe(["20260303_020000", .. Kept]);

        locked.Clear();
        (await bench.PruneAsync()).Left.ShouldBeEmpty();
        (await bench.IdsAsync()).ShouldBe(Kept);
        (await bench.KeysAsync()).ShouldNotContain(key => key.Contains("20260304", StringComparison.Ordinal) || key.Contains("A1_00000005", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_decision_that_was_not_begun_is_made_anew()
    {
        var bench = new PruneBench();
        await bench.FillAsync(20);
        foreach (var id in (string[])["20260304_020000", "20260320_020000"])
        {
            await new DocumentStore(bench.Store).PutAsync(
                new ObjectKey($"source/full/{id}/pruned.json"),
                new Tombstone("source", id, "another policy", PruneBench.First, []),
                RetentionJson.Default.Tombstone,
                None);
        }

        await bench.PruneAsync();

        (await bench.IdsAsync()).ShouldBe(Kept);
        (await bench.KeysAsync()).ShouldNotContain(key => key.EndsWith("pruned.json", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_hold_that_comes_while_a_prune_is_at_work_says_so()
    {
        var bench = new PruneBench();
        await bench.FillAsync(3);
        await bench.Store.PutIfAbsentAsync(new ObjectKey("source/full/20260301_020000/pruned.json"), "{}"u8.ToArray(), None);
        BackupId.TryParse("20260301_020000", out var id).ShouldBeTrue();

        (await Should.ThrowAsync<NotRestorableException>(() => bench.Holds.HoldAsync(bench.Layout, id, "", "me", None))).Message.ShouldContain("prune source --plan");
    }

    [Fact]
    public async Task A_tombstone_names_what_goes()
    {
        var bench = new PruneBench(inner => new LockingStore(inner, key => key.Value == "source/full/20260301_020000/label", PruneBench.First));
        await bench.FillAsync(20);

        await bench.PruneAsync();

        var tombstone = Encoding.UTF8.GetString(await bench.Store.ReadAllAsync(new ObjectKey("source/full/20260301_020000/pruned.json"), None));
        tombstone.ShouldContain("source/full/20260301_020000/base.tar");
        tombstone.ShouldContain("beyond 3 daily, 2 weekly, 1 monthly");
    }
}
