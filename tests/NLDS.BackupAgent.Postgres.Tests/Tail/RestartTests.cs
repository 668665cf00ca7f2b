using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class RestartTests
{
    [Theory]
    [InlineData(17)]
    [InlineData(4711)]
    public async Task An_agent_killed_at_random_points_under_load_leaves_no_hole_and_claims_nothing_that_is_missing(int seed)
    {
        var random = new Random(seed);
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using (var first = TestAgent.Start(server, store))
        {
            await first.UntilDurableAsync(await server.WriteAsync());
        }

        await using var load = await WriteLoad.StartAsync(server);
        for (var life = 0; life < 12; life++)
        {
            await using var agent = TestAgent.Start(server, store);
            await agent.UntilStreamingAsync();
            agent.Tail.State.NeedSnapshot(null);
            var calls = agent.Store.Calls + random.Next(1, 25);
            await Eventually.TrueAsync(() => agent.Store.Calls >= calls, "the store has been called some more times");

            await agent.AbandonAsync();

            var claimed = agent.Status.RecoverableUntil;
            var held = await ArchivedWal.ReadAsync(store);
            held.End.ShouldBeGreaterThanOrEqualTo(agent.Durable, $"seed {seed}, life {life}");
            load.ShouldBeHeld(claimed, held.End);
        }

        await load.StopAsync();
        await using var last = TestAgent.Start(server, store);
        var end = await server.WalEndAsync();
        await last.UntilDurableAsync(end);
        await last.StopAsync();
        var archived = await ArchivedWal.ReadAsync(store);
        archived.End.ShouldBeGreaterThanOrEqualTo(end);
        archived.ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThan(1);
        archived.Inventory.Gaps.ShouldBeEmpty();
    }

    /// <summary>As a kill leaves it: segments are put beside one another, so the second may be there alone, and the slot still holds the first.</summary>
    [Fact]
    public async Task The_first_segment_of_an_archive_that_is_missing_while_the_slot_holds_it_comes_again()
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await server.ExecuteAsync("SELECT pg_create_physical_replication_slot('nlds_backup', true)");
        await using (var killed = TestAgent.Start(server, store, options => options.Slot = "another"))
        {
            await killed.UntilDurableAsync(await server.WriteAsync(3000));
            await killed.StopAsync();
        }

        var pieces = (await ArchivedWal.InventoryAsync(store)).Pieces;
        var begin = pieces.Min(piece => piece.Range.Start);
        foreach (var piece in pieces.Where(piece => piece.Range.Start < begin + (1 << 20)))
        {
            await store.RemoveAsync(piece.Key);
        }

        await using var next = TestAgent.Start(server, store);
        await next.UntilDurableAsync(await server.WriteAsync());
        await next.StopAsync();

        var archived = await ArchivedWal.ReadAsync(store);
        archived.Start.Value.ShouldBe(begin);
        archived.ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task At_the_end_of_a_segment_the_segment_before_comes_again_and_changes_nothing()
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using (var first = TestAgent.Start(server, store))
        {
            await server.WriteAsync();
            await server.ExecuteAsync("SELECT pg_switch_wal()");
            await first.UntilDurableAsync(await server.WalEndAsync());
            await first.StopAsync();
        }

        await using var second = TestAgent.Start(server, store);
        await second.UntilDurableAsync(await server.WriteAsync());
        await second.StopAsync();

        (await ArchivedWal.ReadAsync(store)).ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThanOrEqualTo(1);
    }

    [Fact]
    public async Task An_agent_that_may_create_no_repository_waits_for_a_store_that_is_not_mounted_and_the_slot_waits_with_it()
    {
        await using var server = await TestServers.StartAsync();
        var volume = new MemoryObjectStore();
        await using (var first = TestAgent.Start(server, volume))
        {
            await first.UntilDurableAsync(await server.WriteAsync());
            await first.StopAsync();
        }

        var end = await server.WriteAsync();
        var held = await server.ScalarAsync<string>("SELECT restart_lsn::text FROM pg_replication_slots");
        var mountPoint = new MemoryObjectStore();
        await using var agent = TestAgent.For(server, mountPoint, creates: false);
        agent.Start();
        await agent.UntilAsync(status => status.LastError?.Contains("Repository:Create", StringComparison.Ordinal) == true, "it is said that there is no repository");
        (await server.ScalarAsync<string>("SELECT restart_lsn::text FROM pg_replication_slots")).ShouldBe(held);
        (await new BackupRepository(mountPoint, new RepositoryOptions(), TimeProvider.System).HoldsAnythingOfAsync(PostgresCatalog.Source, TestContext.Current.CancellationToken)).ShouldBeFalse();

        await foreach (var entry in volume.ListAsync("", null, TestContext.Current.CancellationToken))
        {
            using var content = new MemoryStream();
            await (await volume.OpenReadAsync(entry.Key, 0, null, TestContext.Current.CancellationToken)).CopyToAsync(content, TestContext.Current.CancellationToken);
            await mountPoint.ReplaceAsync(entry.Key, content.ToArray(), TestContext.Current.CancellationToken);
        }

        await agent.UntilDurableAsync(end);
        await agent.StopAsync();
        (await ArchivedWal.ReadAsync(mountPoint)).Inventory.Gaps.ShouldBeEmpty();
    }
}
