using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>A prune that removes the older of two copies and the stream before the newer.</summary>
internal sealed class PruneOperation(SweptRedis swept) : SweptOperation
{
    public override Task<MemoryObjectStore> PrepareAsync() => swept.StoreOfTwo.CopyAsync();

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = Agent(store);
        var pruner = new Pruner(agent.Repository, new RetentionOptions(), NullLogger<Pruner>.Instance, agent.Leases);
        await pruner.PruneAsync(agent.Source, allowLarge: true, limit: null, cancellationToken);
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        await using var agent = Agent(store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        using var directory = new TemporaryDirectory();
        await agent.RestoreAsync(directory["data"]);
        await using var restored = await RedisServer.StartInAsync(directory["data"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(swept.ContentOfTwo);
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await RequireUnbrokenAsync(store);
        await using var agent = Agent(store);
        var newest = (await agent.Source.ListAsync(CancellationToken.None)).Backups.ShouldHaveSingleItem();
        newest.Id.ToString().ShouldBe(swept.NewestOfTwo);
        var inventory = await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None);
        inventory.Pieces.ShouldAllBe(piece => piece.Range.End > RedisCatalog.Read(newest).Details.Offset!.Value, "the stream before the newer copy was left");
    }

    private TestAgent Agent(IObjectStore store) => TestAgent.For(swept.Server.Port, store, options =>
        (options.Retention.KeepLast, options.Retention.KeepWithin, options.Retention.RecoveryWindow) = (1, TimeSpan.Zero, TimeSpan.Zero));
}
