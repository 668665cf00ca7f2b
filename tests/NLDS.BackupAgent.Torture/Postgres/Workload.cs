using Npgsql;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Everybody who uses the protected server: the writers, who notes moments, and a load of which nothing is compared.</summary>
/// <param name="isSynchronous">The first writer's commits wait for the agent.</param>
internal sealed class Workload(ProtectedServer server, Ledger ledger, bool isSynchronous, int seed, TortureReport report)
{
    private static readonly TimeSpan BetweenMoments = TimeSpan.FromMilliseconds(300);

    /// <summary>Long and short records, files that come and go, and what makes the server turn over its log.</summary>
    private static readonly string[] Statements =
    [
        "INSERT INTO load (text) SELECT md5(random()::text) FROM generate_series(1, 300)",
        "INSERT INTO load (text) SELECT md5(random()::text) FROM generate_series(1, 3000)",
        "UPDATE load SET text = text || 'x' WHERE id % 10 = 3",
        "DELETE FROM load WHERE id % 3 = 1",
        "TRUNCATE load",
        "TRUNCATE load",
        "DROP TABLE load; CREATE TABLE load (id bigserial PRIMARY KEY, text text)",
        "VACUUM load",
        "VACUUM FULL load",
        "CREATE INDEX IF NOT EXISTS load_text ON load (text)",
        "DROP INDEX IF EXISTS load_text",
        "CREATE UNLOGGED TABLE IF NOT EXISTS unlogged AS SELECT * FROM load",
        "DROP TABLE IF EXISTS unlogged",
        "VACUUM transfer",
        "REINDEX TABLE transfer",
        "CREATE DATABASE other STRATEGY wal_log",
        "CREATE DATABASE other STRATEGY file_copy",
        "DROP DATABASE IF EXISTS other",
        "SELECT pg_switch_wal()",
        "SELECT pg_logical_emit_message(false, 'torture', repeat('x', 2500000))",
        "CHECKPOINT",
    ];

    private readonly Random random = new(seed);
    private volatile bool stops;
    private List<Task> running = [];
    private int starts;

    public async Task StartAsync()
    {
        if (isSynchronous)
        {
            await server.BeSynchronousAsync();
        }

        stops = false;
        starts++;
        running =
        [
            .. Enumerable.Range(0, ledger.Writers).Select(number => new LedgerWriter(number, server, isSynchronous && number == 0, (seed * 10_000) + (starts * 10) + number, ledger, report).RunAsync(() => stops)),
            AgainAsync(NoteAsync),
            AgainAsync(BurdenAsync),
        ];
    }

    /// <summary>The server must be dead, or the agent alive: a commit may wait for it.</summary>
    /// <exception cref="TortureException">One of them found something that must not be.</exception>
    public async Task StopAsync()
    {
        stops = true;
        await Task.WhenAll(running);
        running = [];
    }

    /// <exception cref="TortureException">One of them found something that must not be.</exception>
    public async Task RequireWellAsync()
    {
        foreach (var ended in running.Where(task => task.IsCompleted))
        {
            await ended;
        }
    }

    private async Task AgainAsync(Func<Task> once)
    {
        while (!stops)
        {
            try
            {
                await once();
            }
            catch (Exception lost) when (lost is NpgsqlException or InvalidOperationException or IOException or TimeoutException)
            {
                // The server is away, or refuses what a load asked for.
            }

            await Task.Delay(BetweenMoments, TimeProvider.System, CancellationToken.None);
        }
    }

    private async Task NoteAsync() => ledger.Note(await server.NowAsync());

    private async Task BurdenAsync()
    {
        await using var connection = new NpgsqlConnection(server.Address);
        await connection.OpenAsync(CancellationToken.None);
        while (!stops)
        {
            await using var command = new NpgsqlCommand(Statements[random.Next(Statements.Length)], connection);
            try
            {
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
            catch (PostgresException refused) when (refused.SqlState.StartsWith("42", StringComparison.Ordinal) || refused.SqlState == "55006")
            {
                // The database is there already, or in use.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(400)), TimeProvider.System, CancellationToken.None);
        }
    }
}
