using System.Globalization;
using Npgsql;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>A client that reads random pages of the largest tables, or does what it was told, again and again.</summary>
internal sealed class PostgresRehearsalClient : IRehearsalClient
{
    /// <summary>Those that may be read. The cluster's own catalogs, below the first normal oid, come after all that people have made.</summary>
    private const string LargestTables =
        "SELECT c.oid::regclass::text, (pg_relation_size(c.oid) / current_setting('block_size')::bigint)::bigint FROM pg_class c JOIN pg_am a ON a.oid = c.relam "
        + "WHERE c.relkind = 'r' AND a.amname = 'heap' AND c.relpersistence = 'p' AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.oid < 16384, pg_relation_size(c.oid) DESC LIMIT 5";

    private readonly NpgsqlConnection connection;
    private readonly string? statement;
    private readonly IReadOnlyList<(string Table, long Pages)> tables;

    private PostgresRehearsalClient(NpgsqlConnection connection, string? statement, IReadOnlyList<(string Table, long Pages)> tables) =>
        (this.connection, this.statement, this.tables) = (connection, statement, tables);

    public static async Task<PostgresRehearsalClient> StartAsync(NpgsqlConnection connection, string? statement, CancellationToken cancellationToken)
    {
        List<(string Table, long Pages)> tables = [];
        await using var command = new NpgsqlCommand(LargestTables, connection);
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                tables.Add((reader.GetString(0), reader.GetInt64(1)));
            }
        }

        return new PostgresRehearsalClient(connection, statement, [.. tables.Where(table => table.Pages > 0)]);
    }

    public async Task DoAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(statement ?? RandomRead(), connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
        }
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    private string RandomRead()
    {
        // The whole row as text: not every type has the binary form in which a driver asks for columns.
        var (table, pages) = tables[Random.Shared.Next(tables.Count)];
        return string.Create(CultureInfo.InvariantCulture, $"SELECT t::text FROM {table} t WHERE ctid = '({Random.Shared.NextInt64(pages)},1)'");
    }
}
