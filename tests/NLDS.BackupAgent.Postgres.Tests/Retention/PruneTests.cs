using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Retention;

/// <summary>What can be restored of real servers after retention has been at work.</summary>
public sealed class PruneTests(RecordedArchive archive) : IClassFixture<RecordedArchive>
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan ADay = TimeSpan.FromHours(25);

    private static readonly Dictionary<string, string?> LastOfADay = new()
    {
        ["Postgres:Retention:KeepLast"] = "1",
        ["Postgres:Retention:KeepDaily"] = "0",
        ["Postgres:Retention:KeepWeekly"] = "0",
        ["Postgres:Retention:KeepMonthly"] = "0",
        ["Postgres:Retention:RecoveryWindow"] = "1.00:00:00",
    };

    private readonly ShiftedClock clock = new();

    [Fact]
    public async Task The_window_stays_whole_older_backups_keep_what_they_need_and_what_is_gone_is_refused_in_words()
    {
        await using var server = await StartAsync();
        var store = new MemoryObjectStore();
        var gone = await LiveADayAsync(store, server, 1);
        var held = await LiveADayAsync(store, server, 3);
        var begins = await LiveADayAsync(store, server, 5);
        var newest = await LiveADayAsync(store, server, 7);
        await using var agent = Agent.For(server, store, LastOfADay, clock: clock);
        BackupId.TryParse(held, out var id).ShouldBeTrue();
        await agent.Holds.HoldAsync(agent.Source.Layout, id, "", "test", None);
        var before = (await agent.InventoryAsync()).Pieces.Count;

        var report = await agent.Pruner.PruneAsync(agent.Source, allowLarge: false, limit: null, None);

        report.Left.ShouldBeEmpty();
        (await agent.Catalog.ListBackupsAsync(None)).Select(b => b.Sealed.Id.ToString()).ShouldBe([held, begins, newest]);
        (await agent.InventoryAsync()).Pieces.Count.ShouldBeLessThan(before - 4);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        (await agent.Source.ListAsync(None)).Log.ShouldNotBeNull().RestorableFrom.ShouldBe(report.Plan.Log!.RestorableFrom);

        // The agent of tomorrow goes on where the log ends, over the holes that are meant.
        await using var next = Agent.For(server, store, LastOfADay, clock: clock);
        await next.StartTailAsync();
        await Ledger.AppendAsync(server, 9);
        await next.CatchUpAsync(server);
        (await next.InventoryAsync()).Gaps.ShouldBeEmpty();
        next.Source.Status.SnapshotNeeded.ShouldBeNull();
        var inWindow = await Ledger.CommitTimeAsync(server, 6);
        var beforeWindow = await Ledger.CommitTimeAsync(server, 4);
        await next.StopTailAsync();

        using var directory = new TemporaryDirectory();
        (await LastRowAsync(next, directory["latest"])).ShouldBe(9);
        (await LastRowAsync(next, directory["window"], $"{inWindow.UtcDateTime:O}")).ShouldBe(6);
        (await Should.ThrowAsync<NotRestorableException>(() => next.PlanAsync(directory["x"], $"{beforeWindow.UtcDateTime:O}"))).Message
            .ShouldContain("retention removed it, because it lay before the recovery window");
        (await Should.ThrowAsync<NotRestorableException>(() => next.PlanAsync(directory["x"], backup: gone))).Message.ShouldContain($"There is no base backup '{gone}'");

        // The held one is a moment of its own: its end can be restored, and what lies in its last segment.
        var moment = (await next.Catalog.ListBackupsAsync(None))[0].End.ToString();
        (await LastRowAsync(next, directory["held"], moment, held)).ShouldBe(3);

        await next.Holds.ReleaseAsync(next.Source.Layout, id, None);
        await next.Pruner.PruneAsync(next.Source, allowLarge: false, limit: null, None);
        (await next.Catalog.ListBackupsAsync(None)).Select(b => b.Sealed.Id.ToString()).ShouldBe([begins, newest]);
        (await next.VerifyAsync()).Damage.ShouldBeEmpty();
        (await next.PlanAsync(directory["again"], $"{inWindow.UtcDateTime:O}")).BackupId.ShouldBe(begins);
    }

    [Fact]
    public async Task What_is_missing_after_a_prune_and_was_not_removed_by_it_is_damage()
    {
        await using var server = await StartAsync();
        var store = new MemoryObjectStore();
        await LiveADayAsync(store, server, 1);
        await LiveADayAsync(store, server, 3);
        await LiveADayAsync(store, server, 5);
        await using var agent = Agent.For(server, store, LastOfADay, clock: clock);
        await agent.Pruner.PruneAsync(agent.Source, allowLarge: false, limit: null, None);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        var segments = (await agent.InventoryAsync()).Pieces.Where(p => p.IsSegment).OrderBy(p => p.Range.Start).ToList();

        await store.DeleteAsync([segments[segments.Count / 2].Key], None);

        (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem().What.ShouldContain("no gap was recorded");
    }

    [Fact]
    public async Task Over_a_promotion_the_joint_of_timelines_may_go_and_the_history_stays()
    {
        await using var first = await StartAsync();
        await using var second = await first.CreateStandbyAsync();
        var store = new MemoryObjectStore();
        var held = await LiveADayAsync(store, first, 1);
        await Eventually.TrueAsync(() => second.ScalarAsync<bool>("SELECT count(*) = 2 FROM ledger"), "the standby has all rows");
        await second.PromoteAsync();
        await first.KillAsync();
        await LiveADayAsync(store, second, 3);
        await LiveADayAsync(store, second, 5);
        var newest = await LiveADayAsync(store, second, 7);
        await using var last = Agent.For(second, store, LastOfADay, clock: clock);
        BackupId.TryParse(held, out var id).ShouldBeTrue();
        await last.Holds.HoldAsync(last.Source.Layout, id, "", "test", None);

        await last.Pruner.PruneAsync(last.Source, allowLarge: true, limit: null, None);

        (await last.VerifyAsync()).Damage.ShouldBeEmpty();
        (await last.InventoryAsync()).Files.Keys.ShouldContain("00000002.history");
        using var directory = new TemporaryDirectory();
        (await LastRowAsync(last, directory["latest"])).ShouldBe(8);
        (await last.PlanAsync(directory["newest"])).BackupId.ShouldBe(newest);
        (await LastRowAsync(last, directory["held"], (await last.Catalog.ListBackupsAsync(None))[0].End.ToString(), held)).ShouldBe(1);

        // And again, when nothing of the parent is left.
        await last.Holds.ReleaseAsync(last.Source.Layout, id, None);
        await last.Pruner.PruneAsync(last.Source, allowLarge: true, limit: null, None);
        (await last.InventoryAsync()).Pieces.ShouldAllBe(p => p.Lineage == "00000002");
        (await last.VerifyAsync()).Damage.ShouldBeEmpty();
        (await last.PlanAsync(directory["newest"])).Timeline.ShouldBe(2U);
    }

    [Fact]
    public async Task Wherever_a_prune_breaks_off_the_newest_can_be_restored_and_the_next_prune_leaves_it_clean()
    {
        var onlyTheLast = new Dictionary<string, string?>(LastOfADay) { ["Postgres:Retention:RecoveryWindow"] = "00:00:00" };
        using var directory = new TemporaryDirectory();
        var calls = int.MaxValue;
        for (var failing = 1; failing <= calls; failing++)
        {
            using var store = new FaultyObjectStore(await archive.CopyAsync());
            await using var agent = Agent.For(null, store, onlyTheLast);
            store.FailCall(failing, Fault.Transient);
            try
            {
                await agent.Pruner.PruneAsync(agent.Source, allowLarge: true, limit: null, None);
                calls = store.Calls < failing ? store.Calls : calls;
            }
            catch (ObjectStoreException)
            {
            }

            store.FailWhen((_, _) => null);
            foreach (var backup in await agent.Catalog.ListBackupsAsync(None))
            {
                (await agent.PlanAsync(directory["data"], backup.End.ToString(), backup.Sealed.Id.ToString())).Backup.End.ShouldBe(backup.End, $"call {failing}");
            }

            (await agent.PlanAsync(directory["data"])).BackupId.ShouldBe(archive.SecondBackup, $"call {failing}");
            await agent.Pruner.PruneAsync(agent.Source, allowLarge: true, limit: null, None);
            (await agent.Catalog.ListBackupsAsync(None)).Select(b => b.Sealed.Id.ToString()).ShouldBe([archive.SecondBackup]);
            if (failing % 8 == 0)
            {
                (await agent.VerifyAsync()).Damage.ShouldBeEmpty($"call {failing}");
            }
        }

        calls.ShouldBeGreaterThan(20);
    }

    private static Task<PostgresServer> StartAsync() => PostgresServer.StartAsync(new PostgresServerOptions
    {
        WalSegmentMegabytes = 1,
        ExtraSettings = new Dictionary<string, string>
        {
            ["fsync"] = "off", ["autovacuum"] = "off", ["wal_keep_size"] = "256MB", ["track_commit_timestamp"] = "on",
        },
    });

    /// <summary>An agent's day: a row, a backup, a row, segments of ballast; then a day passes.</summary>
    private async Task<string> LiveADayAsync(IObjectStore store, PostgresServer server, int row)
    {
        await using var agent = Agent.For(server, store, LastOfADay, clock: clock);
        await agent.StartTailAsync();
        await server.ExecuteAsync("CREATE TABLE IF NOT EXISTS ledger (entry int PRIMARY KEY, filler text)");
        await Ledger.AppendAsync(server, row);
        var backup = await agent.BackUpAsync();
        await server.ExecuteAsync("SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 2500000))");
        await Ledger.AppendAsync(server, row + 1);
        await server.ExecuteAsync("SELECT pg_logical_emit_message(false, 'ballast', repeat('x', 2500000))");
        await agent.CatchUpAsync(server);
        clock.Ahead += ADay;
        return backup;
    }

    private static async Task<int> LastRowAsync(Agent agent, string directory, string? to = null, string? backup = null)
    {
        await agent.RestoreAsync(directory, to, backup);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory, 15);
        return await Ledger.LastAsync(copy);
    }
}
