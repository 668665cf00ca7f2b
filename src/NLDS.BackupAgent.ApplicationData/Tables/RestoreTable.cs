using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>The table that a data set goes back to, as the server describes it now.</summary>
internal sealed record RestoreTable
{
    /// <summary>Quoted as SQL wants it.</summary>
    public required string Name { get; init; }

    /// <summary>The set's columns that can be written: not those that the server computes itself.</summary>
    public required IReadOnlyList<string> Writable { get; init; }

    /// <summary>Of the writable ones, those that only an INSERT may set (GENERATED ALWAYS AS IDENTITY).</summary>
    public required IReadOnlyList<string> OnlyInserted { get; init; }

    /// <summary>How a row is found again; empty when whole rows are compared.</summary>
    public required IReadOnlyList<string> Key { get; init; }

    /// <summary>The columns that a sequence fills, which must go on behind what was restored.</summary>
    public required IReadOnlyList<string> Numbered { get; init; }

    /// <exception cref="SourceException">The rows do not fit into it; the message says why.</exception>
    /// <exception cref="PostgresException">It is missing, or may not be looked at.</exception>
    public static async Task<RestoreTable> FindAsync(NpgsqlConnection connection, ArchivedSet set, CancellationToken cancellationToken)
    {
        var oid = await Database.ScalarAsync<uint>(connection, "SELECT $1::regclass::oid", cancellationToken, set.Table!);
        var name = (await Database.ScalarAsync<string>(connection, "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = $1", cancellationToken, oid))!;
        var all = await ColumnsAsync(connection, oid, name, cancellationToken);
        var missing = set.Columns.Where(column => all.All(there => there.Name != column.Name)).Select(column => column.Name).ToList();
        if (missing.Count > 0)
        {
            throw Unfit($"The table {name} has no column {string.Join(", ", missing)}.");
        }

        var ours = all.Where(column => set.Columns.Any(wanted => wanted.Name == column.Name)).ToList();
        var writable = ours.Where(column => !column.IsGenerated).Select(column => column.Name).ToList();
        var key = set.Key.Count > 0 ? await RequireUniqueAsync(connection, oid, name, set.Key, cancellationToken) : await PrimaryKeyAsync(connection, oid, cancellationToken);
        var lost = key.Except(writable).ToList();
        return lost.Count > 0
            ? throw Unfit($"The key of {name} has the column {string.Join(", ", lost)}, which the backup does not have. Add it to the query of the data set, or name another Key.")
            : new RestoreTable
            {
                Name = name,
                Writable = writable,
                OnlyInserted = [.. ours.Where(column => column.IsAlwaysIdentity).Select(column => column.Name)],
                Key = key,
                Numbered = [.. ours.Where(column => column.Sequence is not null).Select(column => column.Name)],
            };
    }

    private static async Task<IReadOnlyList<TableColumn>> ColumnsAsync(NpgsqlConnection connection, uint oid, string name, CancellationToken cancellationToken)
    {
        var columns = new List<TableColumn>();
        await using var command = new NpgsqlCommand(
            "SELECT attname, attgenerated <> '', attidentity = 'a', pg_get_serial_sequence($2, attname) FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum", connection)
        {
            Parameters = { Database.Parameter(oid), Database.Parameter(name) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            columns.Add(new TableColumn(reader.GetString(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.IsDBNull(3) ? null : reader.GetString(3)));
        }

        return columns;
    }

    private static async Task<IReadOnlyList<string>> PrimaryKeyAsync(NpgsqlConnection connection, uint oid, CancellationToken cancellationToken) =>
        await Database.ScalarAsync<string[]>(
            connection,
            "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) WHERE indrelid = $1 AND indisprimary",
            cancellationToken,
            oid) ?? [];

    /// <summary>ON CONFLICT finds a row by a unique index and by nothing else.</summary>
    private static async Task<IReadOnlyList<string>> RequireUniqueAsync(
        NpgsqlConnection connection, uint oid, string name, IReadOnlyList<string> key, CancellationToken cancellationToken)
    {
        var isUnique = await Database.ScalarAsync<bool>(
            connection,
            """
            SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = $1 AND indisunique AND indpred IS NULL AND indexprs IS NULL AND
                (SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY(indkey[0:indnkeyatts - 1]))
                = (SELECT array_agg(k ORDER BY k) FROM unnest($2::text[]) k))
            """,
            cancellationToken,
            oid,
            key.ToArray());
        return isUnique ? key : throw Unfit($"The table {name} has no unique index on ({string.Join(", ", key)}). Create one, or leave Key out to use the primary key.");
    }

    private static SourceException Unfit(string message) => new(message, isPermanent: true);

    private sealed record TableColumn(string Name, bool IsGenerated, bool IsAlwaysIdentity, string? Sequence);
}
