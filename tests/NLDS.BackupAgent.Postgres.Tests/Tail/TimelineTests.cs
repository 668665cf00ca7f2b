using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class TimelineTests
{
    [Fact]
    public async Task A_standby_that_is_promoted_is_followed_over_three_promotions()
    {
        await using var primary = await TestServers.StartAsync();
        await using var standby = await primary.CreateStandbyAsync();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(standby, store);
        await agent.UntilDurableAsync(await primary.WriteAsync(3000));
        await standby.PromoteAsync();
        await agent.UntilAsync(s => s.IsStreaming && s.Lineage == "00000002", "timeline 2 is streamed");
        await agent.UntilDurableAsync(await standby.WriteAsync(1500));

        // A server on its own gets a new timeline by recovering from its own files.
        for (var timeline = 3u; timeline <= 4; timeline++)
        {
            await standby.StopAsync();
            await File.WriteAllTextAsync(Path.Combine(standby.DataDirectory, "recovery.signal"), "", TestContext.Current.CancellationToken);
            await File.AppendAllTextAsync(
                Path.Combine(standby.DataDirectory, "postgresql.auto.conf"), "\nrestore_command = 'false'\n", TestContext.Current.CancellationToken);
            await standby.StartAgainAsync();
            var lineage = WalNaming.Lineage(timeline);
            await agent.UntilAsync(s => s.IsStreaming && s.Lineage == lineage, $"timeline {timeline} is streamed");
            await agent.UntilDurableAsync(await standby.WriteAsync(1500));
        }

        await agent.StopAsync();

        await ShouldHoldHistoriesAsync(store, standby, 2, 3, 4);
        for (var timeline = 1u; timeline <= 4; timeline++)
        {
            var archived = await ArchivedWal.ReadAsync(store, timeline: timeline);
            archived.ShouldEqualFilesIn(standby.WalDirectory());
            archived.Inventory.Gaps.ShouldBeEmpty();
        }

        await ShouldJoinAsync(store, standby, 4);
    }

    [Fact]
    public async Task A_failover_to_a_standby_without_the_slot_leaves_no_gap()
    {
        await using var primary = await TestServers.StartAsync();
        await using var standby = await primary.CreateStandbyAsync();
        var store = new MemoryObjectStore();
        await using (var before = TestAgent.Start(primary, store))
        {
            var end = await primary.WriteAsync(2500);
            await before.UntilDurableAsync(end);
            await Eventually.TrueAsync(
                () => standby.ScalarAsync<bool>($"SELECT pg_last_wal_replay_lsn() >= '{end}'"), "the standby has it all");
            await before.StopAsync();
        }

        await primary.KillAsync();
        await standby.PromoteAsync();
        await using var after = TestAgent.Start(standby, store);
        await after.UntilAsync(s => s.IsStreaming && s.Lineage == "00000002", "the new primary is streamed");
        await after.UntilDurableAsync(await standby.WriteAsync());

        after.Status.Gaps.ShouldBe(0);
        await after.StopAsync();
        (await standby.SlotPositionAsync()).ShouldNotBeNull();
        await ShouldHoldHistoriesAsync(store, standby, 2);
        await ShouldJoinAsync(store, standby, 2);
    }

    [Fact]
    public async Task An_empty_repository_begins_on_timeline_three_with_the_history_of_every_ancestor()
    {
        await using var server = await TestServers.StartAsync();
        for (var promotion = 0; promotion < 2; promotion++)
        {
            await server.WriteAsync();
            await server.StopAsync();
            await File.WriteAllTextAsync(Path.Combine(server.DataDirectory, "recovery.signal"), "", TestContext.Current.CancellationToken);
            await File.AppendAllTextAsync(
                Path.Combine(server.DataDirectory, "postgresql.auto.conf"), "\nrestore_command = 'false'\n", TestContext.Current.CancellationToken);
            await server.StartAgainAsync();
            await Eventually.TrueAsync(() => server.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "recovery has ended");
        }

        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store);
        await agent.UntilAsync(s => s.IsStreaming && s.Lineage == "00000003", "timeline 3 is streamed");
        await agent.UntilDurableAsync(await server.WriteAsync());
        await agent.StopAsync();

        await ShouldHoldHistoriesAsync(store, server, 2, 3);
    }

    /// <summary>pg_basebackup fetches the newest history file only, so a standby of a standby's standby lacks those before.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_that_lacks_the_histories_of_its_ancestors_is_followed_and_they_are_archived_all_the_same(bool archiveKnowsThem)
    {
        var store = new MemoryObjectStore();
        await using var first = await TestServers.StartAsync();
        await using var second = await first.CreateStandbyAsync();
        await second.PromoteAsync();
        if (archiveKnowsThem)
        {
            await using var before = TestAgent.Start(second, store);
            await before.UntilDurableAsync(await second.WriteAsync());
            await before.StopAsync();
        }

        await using var third = await second.CreateStandbyAsync();
        await third.PromoteAsync();
        await using var fourth = await third.CreateStandbyAsync();
        await fourth.PromoteAsync();
        File.Exists(Path.Combine(fourth.WalDirectory(), "00000002.history")).ShouldBeFalse();

        await using var agent = TestAgent.Start(fourth, store);
        await agent.UntilAsync(s => s.IsStreaming && s.Lineage == "00000004", "timeline 4 is streamed");
        await agent.UntilDurableAsync(await fourth.WriteAsync());
        await agent.StopAsync();

        await ShouldHoldHistoriesAsync(store, second, 2);
        await ShouldHoldHistoriesAsync(store, third, 3);
        await ShouldHoldHistoriesAsync(store, fourth, 4);
    }

    private static async Task ShouldHoldHistoriesAsync(IObjectStore store, PostgresServer server, params uint[] timelines)
    {
        var archive = ArchivedWal.CatalogOf(store).OpenLog(new WalSegmentSize(1 << 20));
        foreach (var timeline in timelines)
        {
            var name = TimelineHistory.FileName(timeline);
            var stored = await archive.ReadFileAsync(name, TestContext.Current.CancellationToken);
            stored.ShouldBe(await File.ReadAllBytesAsync(Path.Combine(server.WalDirectory(), name), TestContext.Current.CancellationToken));
        }
    }

    /// <summary>Each ancestor's WAL reaches its switch point, and its child's begins at or before it.</summary>
    private static async Task ShouldJoinAsync(IObjectStore store, PostgresServer server, uint newest)
    {
        var text = await File.ReadAllTextAsync(
            Path.Combine(server.WalDirectory(), TimelineHistory.FileName(newest)), TestContext.Current.CancellationToken);
        var history = TimelineHistory.Parse(newest, text);
        foreach (var ancestor in history.Ancestors)
        {
            (await ArchivedWal.ReadAsync(store, timeline: ancestor.Timeline)).End.ShouldBeGreaterThanOrEqualTo(ancestor.SwitchPoint);
            var child = history.TimelineOwning(ancestor.SwitchPoint);
            (await ArchivedWal.ReadAsync(store, timeline: child)).Start.ShouldBeLessThanOrEqualTo(ancestor.SwitchPoint);
        }
    }
}
