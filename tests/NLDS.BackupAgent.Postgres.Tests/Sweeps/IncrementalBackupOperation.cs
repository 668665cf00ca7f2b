using NLDS.BackupAgent.Postgres.Tests.Incremental;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>An incremental base backup, with the tail that it brings along. A full one in its place is as good where the one before could not be read.</summary>
internal sealed class IncrementalBackupOperation(ChangedServer changed) : SweptOperation
{
    public override Task<MemoryObjectStore> PrepareAsync() => changed.Store.CopyAsync();

    public override Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken) => changed.TakeAsync(store, cancellationToken);

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.Count.ShouldBeGreaterThan(1);
        using var directory = new TemporaryDirectory();
        await agent.RestoreAsync(directory["data"]);
        var file = await changed.Server.ScalarAsync<string>("SELECT pg_relation_filepath('model')");
        (await File.ReadAllBytesAsync(Path.Combine(directory["data"], file))).ShouldBe(await File.ReadAllBytesAsync(Path.Combine(changed.Server.DataDirectory, file)));
    }
}
