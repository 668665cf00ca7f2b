using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>A restore that takes the original's place, again and again into one directory until it succeeds.</summary>
internal sealed class RestoreOperation(SweptRedis swept) : SweptOperation, IDisposable
{
    private readonly TemporaryDirectory targets = new();
    private string target = "";
    private bool isRestored;
    private int count;

    public override Task<MemoryObjectStore> PrepareAsync()
    {
        (target, isRestored) = (targets[$"{++count}"], false);
        return swept.Store.CopyAsync();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        target = isRestored ? targets[$"{++count}"] : target;
        await using var agent = TestAgent.For(swept.Server.Port, store);
        var plan = await agent.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = target, TakesPlace = true }, cancellationToken);
        await agent.Source.RestoreAsync(plan, new Progress<TransferProgress>(), cancellationToken);
        isRestored = true;
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        if (!isRestored && Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
        {
            await RedisServer.RefusalAsync(target, "--appendonly", "yes");
            await RedisServer.RefusalAsync(target, "--appendonly", "no");
        }
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await using var restored = await RedisServer.StartInAsync(target, "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(swept.Content);
    }

    public void Dispose() => targets.Dispose();
}
