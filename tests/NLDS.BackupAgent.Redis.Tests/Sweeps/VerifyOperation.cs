using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>A verification of a sound repository that nobody has verified before.</summary>
internal sealed class VerifyOperation(SweptRedis swept) : SweptOperation
{
    public override Task<MemoryObjectStore> PrepareAsync() => swept.Store.CopyAsync();

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = TestAgent.For(swept.Server.Port, store);
        (await agent.Source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), cancellationToken)).Damage.ShouldBeEmpty();
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await using var agent = TestAgent.For(swept.Server.Port, store);
        (await agent.Source.VerifyAsync(VerifyScope.New, new Progress<TransferProgress>(), CancellationToken.None)).Damage.ShouldBeEmpty();
    }
}
