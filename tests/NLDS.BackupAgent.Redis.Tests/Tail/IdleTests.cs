using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Redis.Tests.Tail;

/// <summary>Nothing is written, and still everything is known.</summary>
public sealed class IdleTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task An_idle_server_costs_no_objects_sees_no_lag_and_can_be_restored_to_any_moment()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        (await client.WaitAsync()).ShouldBe(1);
        var pieces = (await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None)).Pieces.Count;
        var quiet = TimeProvider.System.GetUtcNow();

        // The server PINGs once a second here.
        await agent.UntilAsync(s => s.RecoverableUntil > quiet.AddSeconds(4), "the recoverable moment goes on");
        await Eventually.TrueAsync(
            async () =>
            {
                var info = await client.InfoAsync();
                return info["slave0"]!.Contains($"offset={info["master_repl_offset"]},");
            },
            "the server sees no lag");

        (await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None)).Pieces.Count.ShouldBe(pieces);
        await agent.StopAsync();
        await agent.RestoreAsync(targets["restored"], quiet.AddSeconds(2).ToString("O"));
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "no");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    /// <summary>Redis 7 waits up to ten seconds for replicas that lag.</summary>
    [Fact]
    public async Task A_server_that_stops_does_not_wait_for_the_agent()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store, options => options.Stream.FlushInterval = TimeSpan.FromMinutes(5));
        await agent.UntilStreamingAsync();
        var quiet = TimeProvider.System.GetUtcNow();
        await agent.UntilAsync(s => s.RecoverableUntil > quiet.AddSeconds(2), "some PINGs have come");
        var began = TimeProvider.System.GetTimestamp();

        await Should.ThrowAsync<Exception>(() => client.DoAsync("SHUTDOWN", "NOSAVE"));
        await Eventually.TrueAsync(() => server.HasExited, "the server has ended");

        TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_connection_over_which_nothing_comes_any_more_is_given_up()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var proxy = TcpProxy.Start("127.0.0.1", server.Port);
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(proxy.Port, store, timing: TestAgent.Impatient with { SilenceBound = TimeSpan.FromSeconds(3) });
        await agent.UntilStreamingAsync();
        proxy.ToClient.Stall();

        await agent.UntilAsync(s => !s.IsStreaming && s.LastError!.Contains("has not said anything"), "the silence is noticed");

        proxy.Cut();
        proxy.ToClient.Resume();
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        (await client.WaitAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task A_stream_that_has_outgrown_its_base_asks_for_a_new_one()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store, options => options.Stream.BaseBytes = 1 << 20);
        await agent.UntilStreamingAsync();
        await agent.TakeAsync();
        agent.Status.SnapshotNeeded.ShouldBeNull();
        for (var i = 0; i < 30; i++)
        {
            await client.DoAsync("SET", "overwritten", new string('x', 100_000));
        }

        (await client.WaitAsync()).ShouldBe(1);
        agent.Status.SnapshotNeeded!.ShouldContain("has grown to");
        await agent.TakeAsync();
        agent.Status.SnapshotNeeded.ShouldBeNull();
    }

    [Fact]
    public async Task A_store_that_is_away_for_a_while_is_caught_up_with()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        agent.Store.FailFrom(1, Fault.Transient);
        for (var i = 0; i < 20; i++)
        {
            await client.DoAsync("SET", $"key {i}", new string('x', 10_000));
        }

        await agent.UntilAsync(s => s.LastError is not null, "the failure is noticed");
        agent.Store.FailWhen((_, _) => null);

        (await client.WaitAsync()).ShouldBe(1);
        (await client.InfoAsync())["sync_full"].ShouldBe("1");
        agent.Status.Gaps.ShouldBe(0);
    }
}
