using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Redis.Tests.Tail;

/// <summary>WAIT 1 means: it is in the repository.</summary>
public sealed class AcknowledgementTests
{
    private readonly MemoryObjectStore store = new();

    [Fact]
    public async Task WAIT_is_answered_when_the_write_is_in_the_store_long_before_the_flush_interval()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store, options => options.Stream.FlushInterval = TimeSpan.FromMinutes(5));
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");

        (await client.WaitAsync()).ShouldBe(1);

        var inventory = await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None);
        var written = (await client.InfoAsync()).Number("master_repl_offset");
        inventory.Pieces.Max(p => p.Range.End).ShouldBeGreaterThan(0u);
        ((ulong)written!).ShouldBeGreaterThanOrEqualTo(inventory.Pieces.Max(p => p.Range.End));
    }

    [Fact]
    public async Task WAIT_is_not_answered_while_the_store_does_not_take_anything()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        (await client.WaitAsync()).ShouldBe(1);
        agent.Store.FailFrom(1, Fault.Transient);
        await client.DoAsync("SET", "b", "2");

        (await client.WaitAsync(TimeSpan.FromSeconds(2))).ShouldBe(0);
    }

    [Fact]
    public async Task The_server_is_told_every_second_that_somebody_is_there()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-timeout", "4");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        var connected = TimeProvider.System.GetTimestamp();

        await Eventually.TrueAsync(() => TimeProvider.System.GetElapsedTime(connected) > TimeSpan.FromSeconds(6), "the server's patience is over");

        var info = await client.InfoAsync();
        (info["connected_slaves"], info["sync_full"], info["sync_partial_ok"]).ShouldBe(("1", "1", "0"));
        info["slave0"]!.ShouldContain("state=online");
    }
}
