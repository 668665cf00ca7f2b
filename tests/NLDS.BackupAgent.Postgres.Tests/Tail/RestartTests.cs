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
}
