using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>
/// A server comes back with a new history, and is asked for two copies at once: by a backup, and by the tail, which gets its own a moment later and keeps the stream from there.
/// Behind the backup's copy there is no stream then, whichever of the two is named first.
/// </summary>
public sealed class EarlierCopyTests : IDisposable
{
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task A_copy_from_before_the_stream_began_is_no_damage_and_hides_nothing(int hoursAhead)
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        var (aside, store) = (new MemoryObjectStore(), new MemoryObjectStore());
        await client.DoAsync("SET", "a", "1");
        await using (var early = TestAgent.For(server.Port, aside, clock: new WrongClock(TimeSpan.FromHours(hoursAhead))))
        {
            await early.TakeAsync();
        }

        await client.DoAsync("SET", "b", "2");
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "c", "3");
        await client.WaitAsync();
        await agent.StopAsync();
        await foreach (var entry in aside.ListAsync("redis/redis_backup_", null, CancellationToken.None))
        {
            await using var content = await aside.OpenReadAsync(entry.Key, 0, null, CancellationToken.None);
            using var copy = new MemoryStream();
            await content.CopyToAsync(copy, CancellationToken.None);
            await store.ReplaceAsync(entry.Key, copy.ToArray(), CancellationToken.None);
        }

        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await agent.RestoreAsync(targets["data"]);
        await using var restored = await RedisServer.StartInAsync(targets["data"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    private sealed class WrongClock(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }
}
