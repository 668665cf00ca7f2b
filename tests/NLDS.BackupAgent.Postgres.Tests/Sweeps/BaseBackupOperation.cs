using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Tests.Tail;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>The first base backup of a repository, with the tail that it brings along.</summary>
internal sealed class BaseBackupOperation(PostgresServer server) : SweptOperation
{
    private readonly Lazy<Task<string>> table = new(() => server.ScalarAsync<string>("SELECT pg_relation_filepath('model')"));

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        await using var agent = TestAgent.For(server, store, patience: TimeSpan.FromSeconds(3));
        await agent.Taker.TakeAsync(new Progress<TransferProgress>(), cancellationToken);
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        using var directory = new TemporaryDirectory();
        await agent.RestoreAsync(directory["data"]);
        var file = await table.Value;
        (await File.ReadAllBytesAsync(Path.Combine(directory["data"], file))).ShouldBe(await File.ReadAllBytesAsync(Path.Combine(server.DataDirectory, file)));
    }
}
