using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>A copy of a server that takes no replica's stream.</summary>
internal sealed class SnapshotOperation(SweptRedis swept) : SweptOperation
{
    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = Agent(store);
        await agent.Source.TakeAsync(new Progress<Repository.Sources.TransferProgress>(), cancellationToken);
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await using var agent = Agent(store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await using var client = await RedisClient.ConnectAsync(swept.Server);
        var taken = (await agent.Source.ListAsync(CancellationToken.None)).Backups[^1];
        RedisCatalog.Read(taken).Details.Keys.ShouldBe((await client.InfoAsync()).Databases.Values.Sum());
    }

    private TestAgent Agent(IObjectStore store) => TestAgent.For(swept.Server.Port, store, options => options.Mode = RedisMode.Snapshot);
}
