using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>
/// One client: records and moves money, transaction by transaction, some of them in two phases, with savepoints, long, or rolled back. Goes on over every restart of the
/// server, with whatever of its last transaction the server has then.
/// </summary>
/// <param name="server">Where it writes; another one may take its place.</param>
/// <param name="waits">Each commit waits until the agent has it in the store.</param>
internal sealed class LedgerWriter(int number, ProtectedServer server, bool waits, int seed, Ledger ledger, TortureReport report)
{
    private const int LongText = 10_000;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly Random random = new(seed);

    /// <param name="stops">Whether to end before the next transaction.</param>
    public async Task RunAsync(Func<bool> stops)
    {
        while (!stops())
        {
            try
            {
                await WriteAsync(stops);
            }
            catch (Exception lost) when (lost is NpgsqlException or IOException or InvalidOperationException or TimeoutException)
            {
                report.Count($"interrupted: {(lost as PostgresException)?.MessageText ?? "connection lost"}");
                await Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
            }
        }
    }

    private async Task WriteAsync(Func<bool> stops)
    {
        await using var connection = new NpgsqlConnection(server.AddressOf(waits));
        await connection.OpenAsync(CancellationToken.None);
        await SettleAsync(connection);
        while (!stops())
        {
            await (random.Next(30) == 0 ? RollBackAsync(connection) : CommitAsync(connection));
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(25)), TimeProvider.System, CancellationToken.None);
        }
    }

    private async Task SettleAsync(NpgsqlConnection connection)
    {
        foreach (var prepared in await ColumnAsync(connection, $"SELECT gid FROM pg_prepared_xacts WHERE gid LIKE '{number} %'"))
        {
            await ExecuteAsync(connection, $"ROLLBACK PREPARED '{prepared}'");
        }

        await using var command = new NpgsqlCommand(
            $"SELECT sequence, pg_xact_commit_timestamp(xmin), pg_current_wal_insert_lsn() FROM transfer WHERE writer = {number} ORDER BY sequence DESC LIMIT 1", connection);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        var (last, committed, after) = await reader.ReadAsync(CancellationToken.None)
            ? (reader.GetInt32(0), reader.GetFieldValue<DateTimeOffset?>(1), reader.GetFieldValue<NpgsqlLogSequenceNumber>(2))
            : (0, null, default);
        if (ledger.Settle(number, last, after, committed) is { } wrong)
        {
            throw new TortureException(wrong);
        }
    }

    private async Task CommitAsync(NpgsqlConnection connection)
    {
        var sequence = ledger.NextOf(number);
        var prepares = random.Next(10) == 0;
        var (before, transaction) = await BeginAsync(connection, ledger.Epoch, sequence);
        if (prepares)
        {
            await ExecuteAsync(connection, $"PREPARE TRANSACTION '{number} {sequence}'");
        }

        ledger.Begin(number, before);
        await using var command = new NpgsqlCommand(
            $"{(prepares ? $"COMMIT PREPARED '{number} {sequence}'" : "COMMIT")}; SELECT pg_xact_commit_timestamp('{transaction}'::xid), pg_current_wal_insert_lsn()", connection);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        await reader.ReadAsync(CancellationToken.None);
        ledger.Answer(number, reader.GetFieldValue<NpgsqlLogSequenceNumber>(1), reader.GetFieldValue<DateTimeOffset>(0), TimeProvider.System.GetUtcNow(), waits);
        report.Count(waits ? "transfers that waited for the store" : "transfers");
    }

    /// <summary>All of a transfer, under an epoch that no transfer may ever have.</summary>
    private async Task RollBackAsync(NpgsqlConnection connection)
    {
        await BeginAsync(connection, epoch: -1, ledger.NextOf(number));
        await ExecuteAsync(connection, "ROLLBACK");
    }

    private async Task<(NpgsqlLogSequenceNumber Before, string Transaction)> BeginAsync(NpgsqlConnection connection, int epoch, int sequence)
    {
        var (one, other) = (random.Next(HeldLedger.Accounts) + 1, random.Next(HeldLedger.Accounts - 1) + 1);
        other += other >= one ? 1 : 0;
        var amount = random.Next(1, 100);
        var text = random.Next(100) == 0 ? LongText : random.Next(1, 10);
        string insert = Text($"INSERT INTO transfer VALUES ({number}, {epoch}, {sequence}, {one}, {other}, {amount}, clock_timestamp(), repeat(md5('{number} {epoch} {sequence}'), {text}))");

        // In the accounts' order, or two writers could wait for each other.
        var first = Text($"UPDATE account SET balance = balance {(one < other ? '-' : '+')} {amount} WHERE id = {Math.Min(one, other)}");
        var second = Text($"UPDATE account SET balance = balance {(one < other ? '+' : '-')} {amount} WHERE id = {Math.Max(one, other)}");
        var detour = random.Next(8) == 0 ? $"SAVEPOINT s; {first}; ROLLBACK TO s; SAVEPOINT t; {insert}; RELEASE t" : insert;
        await using var command = new NpgsqlCommand($"SELECT pg_current_wal_insert_lsn(); BEGIN; {detour}; {first}; {second}; SELECT pg_current_xact_id()::xid::text", connection);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        await reader.ReadAsync(CancellationToken.None);
        var before = reader.GetFieldValue<NpgsqlLogSequenceNumber>(0);
        await reader.NextResultAsync(CancellationToken.None);
        await reader.ReadAsync(CancellationToken.None);
        return (before, reader.GetString(0));
    }

    private static async Task<List<string>> ColumnAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        var found = new List<string>();
        while (await reader.ReadAsync(CancellationToken.None))
        {
            found.Add(reader.GetString(0));
        }

        return found;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
