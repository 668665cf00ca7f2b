using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>A tail from the copy that it begins with to its stop, with writes that WAIT confirms.</summary>
internal sealed class TailOperation(RedisServer server) : SweptOperation, IDisposable
{
    private static readonly TimeSpan ShortWait = TimeSpan.FromMilliseconds(250);

    private readonly TemporaryDirectory targets = new();
    private HashSet<string> confirmed = [];
    private int written;

    public override Task<MemoryObjectStore> PrepareAsync()
    {
        confirmed = [];
        return base.PrepareAsync();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        for (var write = 0; write < 3; write++)
        {
            await UntilAsync(agent, () => agent.Status.IsStreaming, isForEver, cancellationToken);
            var key = $"written {++written}";
            await client.DoAsync("SET", key, "x");
            while (await client.WaitAsync(ShortWait) < 1)
            {
                await UntilAsync(agent, () => agent.Status.IsStreaming, isForEver, cancellationToken);
                RequireGoingOn(agent, isForEver, cancellationToken);
            }

            confirmed.Add(key);
        }

        await agent.StopAsync();
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        if (confirmed.Count > 0)
        {
            confirmed.Except(await RestoredKeysAsync(store)).ShouldBeEmpty("WAIT confirmed what is not in the store");
        }
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await RequireUnbrokenAsync(store);
        confirmed.Count.ShouldBeGreaterThanOrEqualTo(3);
        await using var agent = TestAgent.For(server.Port, store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    public void Dispose() => targets.Dispose();

    private async Task<HashSet<string>> RestoredKeysAsync(IObjectStore store)
    {
        await using var agent = TestAgent.For(server.Port, store);
        var target = targets[$"{Guid.NewGuid():N}"];
        await agent.RestoreAsync(target);
        await using var restored = await RedisServer.StartInAsync(target, "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        return [.. (await look.DoAsync("KEYS", "*")).Items!.Select(item => item.Text)];
    }

    private static async Task UntilAsync(TestAgent agent, Func<bool> isDone, bool isForEver, CancellationToken cancellationToken)
    {
        await Eventually.TrueAsync(
            () => isDone() || agent.Running.IsCompleted || cancellationToken.IsCancellationRequested || (isForEver && agent.Status.LastError is not null),
            "the tail is done",
            details: () => agent.Status.ToString());
        if (!isDone())
        {
            RequireGoingOn(agent, isForEver, cancellationToken);
        }
    }

    private static void RequireGoingOn(TestAgent agent, bool isForEver, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (agent.Running.IsCompleted)
        {
            agent.Running.GetAwaiter().GetResult();
        }

        if (isForEver && agent.Status.LastError is { } error)
        {
            throw new SourceException(error, isPermanent: false);
        }
    }
}
