using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>
/// The repository of a server that lived through two base backups and was then killed, with what happened when:
/// rows 1-3, backup, row 4, mark, row 5, mark of the same name, backup, row 6, a transaction of several segments, row 7, the end.
/// </summary>
public sealed class RecordedArchive : IAsyncLifetime
{
    /// <summary>What the last row is at the end.</summary>
    public const int Last = 7;

    internal MemoryObjectStore Store { get; } = new();

    public DateTimeOffset BeforeAll { get; private set; }

    public string FirstBackup { get; private set; } = "";

    public string SecondBackup { get; private set; } = "";

    /// <summary>By row: its commit time by the server's clock, and the end of the log behind it.</summary>
    public Dictionary<int, (DateTimeOffset Time, string Lsn)> Rows { get; } = [];

    public string FirstMark { get; private set; } = "";

    /// <summary>By the server's clock, after the last commit, when all was durable.</summary>
    public DateTimeOffset Idle { get; private set; }

    public string End { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            WalSegmentMegabytes = 1,
            ExtraSettings = new Dictionary<string, string>
            {
                ["track_commit_timestamp"] = "on",
                ["fsync"] = "off",
                ["autovacuum"] = "off",
                // What must not come alive in a copy.
                ["archive_mode"] = "on",
                ["archive_command"] = "/bin/true",
                ["synchronous_standby_names"] = "",
            },
        });
        await using var agent = Agent.For(server, Store);
        await server.ExecuteAsync(Ledger.Create);
        BeforeAll = await server.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        await agent.StartTailAsync();
        await AppendAsync(server, 1, 2, 3);
        FirstBackup = await agent.BackUpAsync();
        await AppendAsync(server, 4);
        FirstMark = await server.ScalarAsync<string>("SELECT pg_create_restore_point('mark')::text");
        await AppendAsync(server, 5);
        await server.ExecuteAsync("SELECT pg_create_restore_point('mark')");
        SecondBackup = await agent.BackUpAsync();
        await AppendAsync(server, 6);
        await server.ExecuteAsync("CREATE TABLE ballast AS SELECT g, md5(g::text) FROM generate_series(1, 40000) g");
        await AppendAsync(server, 7);
        await server.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        End = await agent.CatchUpAsync(server);
        var caughtUp = await server.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        await Eventually.TrueAsync(() => agent.Source.Status.RecoverableUntil > caughtUp, "the idle moment is proven");
        Idle = caughtUp;
        await server.KillAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>A copy that a test may damage.</summary>
    internal async Task<MemoryObjectStore> CopyAsync()
    {
        var copy = new MemoryObjectStore();
        await foreach (var entry in Store.ListAsync("", null, CancellationToken.None))
        {
            await copy.ReplaceAsync(entry.Key, await Store.ReadAsync(entry.Key), CancellationToken.None);
        }

        return copy;
    }

    private async Task AppendAsync(PostgresServer server, params int[] entries)
    {
        foreach (var entry in entries)
        {
            await Ledger.AppendAsync(server, entry);
            Rows[entry] = (await Ledger.CommitTimeAsync(server, entry), await server.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text"));
        }
    }
}
