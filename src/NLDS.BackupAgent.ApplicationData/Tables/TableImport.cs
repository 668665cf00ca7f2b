using System.Buffers;
using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>How a data set differs from what is there now.</summary>
internal readonly record struct SetDifference(long New, long Changed, long Equal, long Expired);

/// <summary>
/// One data set on its way back, in one transaction: its rows are copied into a temporary table, compared with the real one, and put there. Until it is committed
/// nobody sees anything of it; disposed before that, nothing has happened.
/// </summary>
internal sealed class TableImport : IAsyncDisposable
{
    private const string Staging = "nlds_staging";

    private readonly NpgsqlConnection connection;
    private readonly NpgsqlTransaction transaction;
    private readonly ArchivedSet set;
    private readonly RestoreTable table;
    private readonly TableDocument document;
    private readonly ArrayBufferWriter<byte> lines = new(1 << 20);

    private TableImport(NpgsqlConnection connection, NpgsqlTransaction transaction, ArchivedSet set, RestoreTable table)
    {
        (this.connection, this.transaction, this.set, this.table) = (connection, transaction, set, table);
        document = new TableDocument(set);
    }

    private bool HasKey => table.Key.Count > 0;

    private IEnumerable<string> Names => set.Columns.Select(column => column.Name);

    public static async Task<TableImport> BeginAsync(Database database, ArchivedSet set, CancellationToken cancellationToken)
    {
        var connection = await database.OpenAsync(cancellationToken);
        try
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var table = await RestoreTable.FindAsync(connection, set, cancellationToken);

            // With the real table's types, and none of its constraints: what does not fit is found when it goes there, and named.
            await Database.ExecuteAsync(
                connection, $"CREATE TEMPORARY TABLE {Staging} ON COMMIT DROP AS SELECT {Sql.List(set.Columns.Select(column => column.Name))} FROM {table.Name} WITH NO DATA", cancellationToken);
            return new TableImport(connection, transaction, set, table);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Copies one file's rows into the temporary table.</summary>
    /// <exception cref="InvalidDataException">The file is not what it should be.</exception>
    public async Task StageAsync(ReadOnlyMemory<byte> file, CancellationToken cancellationToken)
    {
        lines.ResetWrittenCount();
        document.Write(file.Span, lines);
        await using var copy = (StreamWriter)await connection.BeginTextImportAsync($"COPY {Staging} ({Sql.List(Names)}) FROM STDIN", cancellationToken);
        await copy.BaseStream.WriteAsync(lines.WrittenMemory, cancellationToken);
    }

    /// <summary>Leaves out what has expired meanwhile and says how the rest differs from what is there.</summary>
    public async Task<SetDifference> CompareAsync(CancellationToken cancellationToken)
    {
        var expired = set.ExpiresColumn is { } column && Names.Contains(column)
            ? await Database.ExecuteAsync(connection, $"DELETE FROM {Staging} WHERE {Sql.Quote(column)} <= now()", cancellationToken)
            : 0;
        await Database.ExecuteAsync(connection, $"ANALYZE {Staging}", cancellationToken);
        await using var command = new NpgsqlCommand(HasKey ? CompareByKey() : CompareWholeRows(), connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new SetDifference(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), expired);
    }

    /// <summary>Puts the rows where they belong and makes that durable.</summary>
    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        await Database.ExecuteAsync(connection, HasKey ? InsertByKey() : InsertWholeRows(), cancellationToken);
        foreach (var column in table.Numbered)
        {
            await Database.ExecuteAsync(connection, Advance(column), cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }

    private string CompareByKey() =>
        $"""
        SELECT count(*) FILTER (WHERE t.ctid IS NULL),
               count(*) FILTER (WHERE t.ctid IS NOT NULL AND {Sql.RowText("s", table.Writable)} <> {Sql.RowText("t", table.Writable)}),
               count(*) FILTER (WHERE t.ctid IS NOT NULL AND {Sql.RowText("s", table.Writable)} = {Sql.RowText("t", table.Writable)})
        FROM {Staging} s LEFT JOIN {table.Name} t ON {string.Join(" AND ", table.Key.Select(key => $"s.{Sql.Quote(key)} = t.{Sql.Quote(key)}"))}
        """;

    private string CompareWholeRows() =>
        $"SELECT count(*) FILTER (WHERE n > there), 0::bigint, count(*) FILTER (WHERE n <= there) FROM {NumberedRows()}";

    private string InsertByKey()
    {
        var changed = table.Writable.Except(table.Key).Except(table.OnlyInserted).ToList();
        var action = changed.Count == 0
            ? "NOTHING"
            : $"UPDATE SET {string.Join(", ", changed.Select(column => $"{Sql.Quote(column)} = EXCLUDED.{Sql.Quote(column)}"))} WHERE {Sql.RowText("t", changed)} <> {Sql.RowText("EXCLUDED", changed)}";
        return $"INSERT INTO {table.Name} AS t ({Sql.List(table.Writable)}) OVERRIDING SYSTEM VALUE SELECT {Sql.List(table.Writable)} FROM {Staging} ON CONFLICT ({Sql.List(table.Key)}) DO {action}";
    }

    private string InsertWholeRows() =>
        $"INSERT INTO {table.Name} ({Sql.List(table.Writable)}) OVERRIDING SYSTEM VALUE SELECT {Sql.List("r", table.Writable)} FROM {NumberedRows()} WHERE n > there";

    /// <summary>
    /// Without a key a row is itself: of equal ones as many must be there as the backup has. Each row of the backup gets its number among its equals, and how many are
    /// there.
    /// </summary>
    private string NumberedRows() =>
        $"""
        (SELECT s.*, row_number() OVER (PARTITION BY {Sql.RowText("s", table.Writable)}) AS n, coalesce(t.there, 0) AS there
         FROM {Staging} s LEFT JOIN (SELECT {Sql.RowText("t", table.Writable)} AS line, count(*) AS there FROM {table.Name} t GROUP BY 1) t
              ON t.line = {Sql.RowText("s", table.Writable)}) r
        """;

    /// <summary>Otherwise the next row of the application's own would get a number that was just restored.</summary>
    private string Advance(string column) =>
        $"""
        SELECT setval(sequence, newest) FROM
            (SELECT pg_get_serial_sequence('{table.Name.Replace("'", "''", StringComparison.Ordinal)}', '{column.Replace("'", "''", StringComparison.Ordinal)}')::regclass AS sequence,
                    (SELECT max({Sql.Quote(column)}) FROM {table.Name}) AS newest) s
        WHERE newest > coalesce(pg_sequence_last_value(sequence), 0)
        """;
}
