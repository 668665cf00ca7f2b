using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Recovery.Tests.Bootstrap;

/// <summary>A cluster that was backed up and is gone: its repository, from which every test takes a copy of its own.</summary>
public sealed class ProtectedCluster : IAsyncLifetime
{
    public const int Rows = 300;

    private readonly MemoryObjectStore store = new();

    /// <summary>Between the first half of the rows and the second, as an LSN.</summary>
    public string Middle { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" } });
        await using var bench = PostgresBench.For(server, store);
        await bench.StartTailAsync();
        await server.ExecuteAsync("CREATE TABLE ledger (entry int)");
        await bench.BackUpAsync();
        await server.ExecuteAsync($"INSERT INTO ledger SELECT generate_series(1, {Rows / 2})");
        Middle = await server.ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text");
        await server.ExecuteAsync($"INSERT INTO ledger SELECT generate_series({(Rows / 2) + 1}, {Rows})");
        await bench.CatchUpAsync(server);
        await bench.StopTailAsync();
    }

    /// <summary>The repository as it was when the cluster was lost.</summary>
    public IObjectStore Store() => Copies.Of(store);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
