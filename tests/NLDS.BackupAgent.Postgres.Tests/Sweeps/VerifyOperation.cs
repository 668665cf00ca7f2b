using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>A verification of a sound repository that nobody has verified before.</summary>
internal sealed class VerifyOperation(RecordedArchive archive) : SweptOperation
{
    public override Task<MemoryObjectStore> PrepareAsync() => archive.Store.CopyAsync();

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = Agent.For(null, store);
        (await agent.Source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), cancellationToken)).Damage.ShouldBeEmpty();
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync(VerifyScope.New)).Damage.ShouldBeEmpty();
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.Count.ShouldBe(2);
    }
}
