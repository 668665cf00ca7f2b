using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class NetworkTests
{
    /// <summary>The server asks behind half of it and ends the connection behind the other half, which is longer than a busy machine makes anybody wait.</summary>
    private static readonly TimeSpan ServersPatience = TimeSpan.FromSeconds(4);

    private static readonly string Patience = $"{ServersPatience.TotalSeconds:F0}s";

    [Fact]
    public async Task Cuts_and_delays_lose_nothing()
    {
        await using var server = await TestServers.StartAsync();
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store, o => o.Port = proxy.Port);
        await agent.UntilDurableAsync(await server.WriteAsync());
        await using var load = await WriteLoad.StartAsync(server);
        for (var cut = 0; cut < 5; cut++)
        {
            await agent.UntilStreamingAsync();
            agent.Tail.State.NeedSnapshot(null);
            await load.UntilMoreAsync(20);
            proxy.ToClient.Delay(TimeSpan.FromMilliseconds(cut * 10));
            await load.UntilMoreAsync(20);

            proxy.Cut();

            var claimed = agent.Status.RecoverableUntil;
            load.ShouldBeHeld(claimed, (await ArchivedWal.ReadAsync(store)).End);
        }

        proxy.ToClient.Delay(TimeSpan.Zero);
        await load.StopAsync();
        await agent.UntilDurableAsync(await server.WalEndAsync());
        await agent.StopAsync();
        (await ArchivedWal.ReadAsync(store)).ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThanOrEqualTo(1);
    }

    [Fact]
    public async Task A_connection_that_hangs_is_given_up_and_what_came_before_is_kept()
    {
        await using var server = await TestServers.StartAsync(15, 1, ("wal_sender_timeout", "2s"));
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        var store = new MemoryObjectStore();
        var timing = TestAgent.Impatient with { SilenceBound = TimeSpan.FromSeconds(2) };
        await using var agent = TestAgent.Start(server, store, o => o.Port = proxy.Port, timing);
        await agent.UntilDurableAsync(await server.WriteAsync());

        proxy.ToClient.Stall();
        proxy.ToServer.Stall();
        var end = await server.WriteAsync();
        await agent.UntilAsync(s => s.LastError is { } error && error.Contains("has not said anything", StringComparison.Ordinal), "the silence is noticed");
        proxy.Cut();
        proxy.ToClient.Resume();
        proxy.ToServer.Resume();

        await agent.UntilDurableAsync(end);
        agent.Status.LastError.ShouldBeNull();
    }

    [Fact]
    public async Task An_idle_server_with_little_patience_stays_connected_and_the_recovery_point_fresh()
    {
        await using var server = await TestServers.StartAsync(15, 1, ("wal_sender_timeout", Patience));
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        await using var agent = TestAgent.Start(server, new MemoryObjectStore(), o => o.Port = proxy.Port);
        await agent.UntilStreamingAsync();
        agent.Tail.State.NeedSnapshot(null);
        await agent.UntilAsync(s => s.RecoverableUntil is not null, "there is a recovery point");
        var (first, connections) = (agent.Status.RecoverableUntil, proxy.Accepted);

        await agent.UntilAsync(s => s.RecoverableUntil > first + (2 * ServersPatience), "twice the server's patience has passed");

        proxy.Accepted.ShouldBe(connections);
        (TimeProvider.System.GetUtcNow() - agent.Status.RecoverableUntil!.Value).ShouldBeLessThan(TimeSpan.FromSeconds(5));
        server.ReadLog().ShouldNotContain("terminating walsender");
    }

    [Fact]
    public async Task A_slow_store_does_not_cost_the_connection_to_a_server_with_little_patience()
    {
        await using var server = await TestServers.StartAsync(15, 1, ("wal_sender_timeout", Patience));
        var store = new GatedObjectStore(new MemoryObjectStore());
        await using var agent = TestAgent.Start(server, store);
        await agent.UntilDurableAsync(await server.WriteAsync());

        store.Close();
        var end = await server.WriteAsync();
        var began = await server.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        await Eventually.TrueAsync(
            () => server.ScalarAsync<bool>($"SELECT clock_timestamp() > '{began:O}'::timestamptz + interval '{2 * ServersPatience}'"), "twice the server's patience has passed");
        store.Open();

        await agent.UntilDurableAsync(end);
        server.ReadLog().ShouldNotContain("terminating walsender");
    }
}
