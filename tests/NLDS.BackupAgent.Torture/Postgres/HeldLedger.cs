using Npgsql;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>Transfers of one writer in one epoch that a server holds.</summary>
internal sealed record HeldRun(int Writer, int Epoch, int First, int Last, int Count, DateTimeOffset? Newest);

/// <summary>What a server holds of the ledger, and whether it agrees with itself.</summary>
/// <param name="Fault">What cannot be true of any moment: a torn transaction, a hole, a changed row. Null when there is nothing.</param>
internal sealed record HeldLedger(IReadOnlyList<HeldRun> Runs, string? Fault)
{
    public const int Accounts = 20;
    public const long Opening = 1_000;

    /// <summary>TOAST without compression, so that a long text is as long in the log.</summary>
    public static readonly string Schema = $"""
        CREATE EXTENSION amcheck;
        CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
        INSERT INTO account SELECT id, {Opening} FROM generate_series(1, {Accounts}) id;
        CREATE TABLE transfer (writer int, epoch int, sequence int, debited int, credited int, amount bigint, written timestamptz, text text, PRIMARY KEY (writer, sequence));
        ALTER TABLE transfer ALTER text SET STORAGE EXTERNAL;
        CREATE INDEX ON transfer (credited, amount);
        CREATE TABLE load (id bigserial PRIMARY KEY, text text);
        """;

    private const string RunsOf = """
        SELECT writer, epoch, min(sequence), max(sequence), count(*)::int, max(pg_xact_commit_timestamp(xmin))
        FROM transfer GROUP BY writer, epoch ORDER BY writer, min(sequence)
        """;

    private static readonly (string Sql, string Fault)[] Faults =
    [
        ($"SELECT count(*) FROM account WHERE (SELECT sum(balance) FROM account) <> {Accounts * Opening}", "the sum of all accounts has changed: a transaction is torn"),
        ($"SELECT abs(count(*) - {Accounts}) FROM account", "accounts are missing or were invented"),
        ($"""
         SELECT count(*) FROM account
         LEFT JOIN (SELECT id, sum(amount) AS moved FROM (SELECT credited, amount FROM transfer UNION ALL SELECT debited, -amount FROM transfer) m (id, amount) GROUP BY id) moves USING (id)
         WHERE balance <> {Opening} + coalesce(moved, 0)
         """, "accounts do not have what the transfers say: a transaction is torn"),
        ("SELECT count(*) FROM transfer WHERE epoch < 0", "there are transfers of transactions that were rolled back"),
        ("SELECT count(*) FROM transfer WHERE text <> repeat(md5(format('%s %s %s', writer, epoch, sequence)), length(text) / 32) OR length(text) = 0", "transfers have another text than was written"),
    ];

    public static async Task<HeldLedger> ReadAsync(NpgsqlConnection connection)
    {
        var runs = new List<HeldRun>();
        await using (var command = new NpgsqlCommand(RunsOf, connection))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                runs.Add(new HeldRun(
                    reader.GetInt32(0), reader.GetInt32(1), reader.GetInt32(2), reader.GetInt32(3), reader.GetInt32(4),
                    await reader.IsDBNullAsync(5) ? null : reader.GetFieldValue<DateTimeOffset>(5)));
            }
        }

        foreach (var (sql, fault) in Faults)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            if ((long)(await command.ExecuteScalarAsync())! is var rows and not 0)
            {
                return new HeldLedger(runs, $"{fault} ({rows} rows)");
            }
        }

        return new HeldLedger(runs, Hole(runs));
    }

    /// <summary>The last number that a writer has here; 0 for none.</summary>
    public int LastOf(int writer) => Runs.Where(run => run.Writer == writer).Select(run => run.Last).DefaultIfEmpty().Max();

    /// <summary>Each writer's numbers begin at 1 and have no hole, over all epochs.</summary>
    private static string? Hole(List<HeldRun> runs)
    {
        foreach (var writer in runs.GroupBy(run => run.Writer))
        {
            var next = 1;
            foreach (var run in writer)
            {
                if (run.First != next || run.Last - run.First + 1 != run.Count)
                {
                    return $"writer {writer.Key} has {run.Count} transfers from {run.First} to {run.Last} in epoch {run.Epoch}, where {next} was due";
                }

                next = run.Last + 1;
            }
        }

        return null;
    }
}
