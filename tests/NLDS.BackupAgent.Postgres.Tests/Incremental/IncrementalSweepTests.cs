using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Tests.Sweeps;
using NLDS.BackupAgent.Postgres.Tests.Tail;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>An incremental backup, broken at its calls to the store.</summary>
public sealed class IncrementalSweepTests(ChangedServer changed) : IClassFixture<ChangedServer>
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Fact]
    public async Task Unbroken_it_is_an_incremental_one()
    {
        var store = await changed.Store.CopyAsync();

        await changed.TakeAsync(store, TestContext.Current.CancellationToken);

        await using var agent = Agent.For(null, store);
        (await agent.Source.ListAsync(TestContext.Current.CancellationToken)).Backups.Select(backup => backup.Parent is null).ShouldBe([true, false]);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task An_incremental_backup_is_whole_or_does_not_exist(Way way) =>
        (await new Sweep(new IncrementalBackupOperation(changed)) { Samples = 1 }.RunAsync(way)).ShouldBeGreaterThan(0);
}

/// <summary>A server 17 whose table was changed after its full backup, and not since.</summary>
public sealed class ChangedServer : IAsyncLifetime
{
    public PostgresServer Server { get; private set; } = null!;

    /// <summary>It holds the full backup.</summary>
    internal MemoryObjectStore Store { get; } = new();

    public async ValueTask InitializeAsync()
    {
        Server = await IncrementalServer.StartAsync(17);
        await Server.ExecuteAsync("CREATE TABLE model AS SELECT g, md5(g::text) FROM generate_series(1, 2000) g; CHECKPOINT");
        await TakeAsync(Store, CancellationToken.None);
        await Server.ExecuteAsync("UPDATE model SET md5 = 'changed' WHERE g % 100 = 0; CHECKPOINT");
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    /// <summary>Takes a backup in a process of its own, an incremental one when it can be.</summary>
    public async Task TakeAsync(IObjectStore store, CancellationToken cancellationToken)
    {
        await using var agent = TestAgent.For(Server, store, options => options.FullBackup.FullEvery = 7, patience: TimeSpan.FromSeconds(3));
        await agent.Taker.TakeAsync(new Progress<TransferProgress>(), cancellationToken);
    }
}
