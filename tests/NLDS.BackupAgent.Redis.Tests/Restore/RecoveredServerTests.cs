using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>What a protected server tells behind a restore.</summary>
public sealed class RecoveredServerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_loads_tells_how_much_is_left_and_one_that_is_away_is_waited_for()
    {
        await using var server = await RedisServer.StartAsync("--appendonly", "yes", "--enable-debug-command", "yes");
        await using (var client = await RedisClient.ConnectAsync(server.Port))
        {
            await client.DoAsync("DEBUG", "POPULATE", "2000", "key", "1000");
            await client.DoAsync("BGREWRITEAOF");
            await Eventually.TrueAsync(async () => (await client.InfoAsync())["aof_rewrite_in_progress"] == "0", "it is rewritten");
        }

        await using var agent = TestAgent.For(server.Port, new MemoryObjectStore());
        (await agent.Source.LookAtServerAsync(Token)).IsReady.ShouldBeTrue();
        (await agent.Source.ProveServerAsync(TimeSpan.FromMinutes(1), Token)).Single().Words.ShouldBe("It has 2000 keys in 1 databases.");

        await server.KillAsync();
        (await agent.Source.LookAtServerAsync(Token)).IsReady.ShouldBeFalse();

        // So slowly that it is met while it loads.
        var starting = server.StartAgainAsync("--appendonly", "yes", "--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024");
        await Eventually.TrueAsync(async () => (await agent.Source.LookAtServerAsync(Token)) is { IsReady: false, BytesLeft: > 0 }, "it loads");
        await starting;
    }

    [Fact]
    public async Task A_server_that_will_not_tell_is_not_waited_for()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "secret");
        await using var agent = TestAgent.For(server.Port, new MemoryObjectStore());

        (await Should.ThrowAsync<SourceException>(() => agent.Source.LookAtServerAsync(Token))).IsPermanent.ShouldBeTrue();
    }
}
