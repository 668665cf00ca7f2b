using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>What a data set's query returns, as the server describes it.</summary>
internal static class QueryColumns
{
    /// <summary>The query as it is run: the configured columns, or all, of the configured SELECT.</summary>
    public static string Select(DataSet set) => $"SELECT {(set.Columns.Count == 0 ? "*" : Sql.List(set.Columns))} FROM (\n{set.Query}\n) AS data_set";

    /// <exception cref="PostgresException">A table or a column is missing, or may not be read.</exception>
    public static async Task<IReadOnlyList<ArchivedColumn>> DescribeAsync(NpgsqlConnection connection, DataSet set, CancellationToken cancellationToken)
    {
        var found = new List<(string Name, uint Oid)>();
        await using (var command = new NpgsqlCommand($"{Select(set)} LIMIT 0", connection))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            for (var i = 0; i < reader.FieldCount; i++)
            {
                found.Add((reader.GetName(i), reader.GetDataTypeOID(i)));
            }
        }

        if (found.GroupBy(column => column.Name).FirstOrDefault(same => same.Count() > 1)?.Key is { } twice)
        {
            throw new InvalidDataException($"its query has two columns '{twice}'. Give one another name with AS");
        }

        if (found.Any(column => column.Name == DataSet.JsonTexts))
        {
            throw new InvalidDataException($"its query has a column '{DataSet.JsonTexts}', which the documents use themselves. Give it another name with AS");
        }

        return await NameTypesAsync(connection, found, cancellationToken);
    }

    /// <summary>An array's elements decide how it stands in a document, so the catalog is asked for them.</summary>
    private static async Task<IReadOnlyList<ArchivedColumn>> NameTypesAsync(
        NpgsqlConnection connection, List<(string Name, uint Oid)> found, CancellationToken cancellationToken)
    {
        var types = new Dictionary<uint, (string Name, uint Element)>();
        await using var command = new NpgsqlCommand(
            "SELECT oid, format_type(oid, NULL), CASE WHEN typcategory = 'A' AND typdelim = ',' THEN typelem ELSE 0 END FROM pg_type WHERE oid = ANY($1::oid[])", connection)
        {
            Parameters = { new NpgsqlParameter { Value = found.Select(column => (long)column.Oid).Distinct().ToArray() } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            types[reader.GetFieldValue<uint>(0)] = (reader.GetString(1), reader.GetFieldValue<uint>(2));
        }

        return [.. found.Select(column => new ArchivedColumn(column.Name, types[column.Oid].Name, Shape(column.Oid, types[column.Oid].Element)))];
    }

    /// <summary>The object ids of the built-in types are fixed (pg_type.dat).</summary>
    private static ValueShape Shape(uint oid, uint element) => oid switch
    {
        16 => ValueShape.Boolean,
        114 or 3802 => ValueShape.Json,
        1114 => ValueShape.Timestamp,
        1184 => ValueShape.TimestampWithZone,
        _ when IsNumber(oid) => ValueShape.Number,
        _ when IsNumber(element) => ValueShape.NumberArray,
        _ when element != 0 => ValueShape.TextArray,
        _ => ValueShape.Text,
    };

    /// <summary>int8, int2, int4, oid, float4, float8, numeric.</summary>
    private static bool IsNumber(uint oid) => oid is 20 or 21 or 23 or 26 or 700 or 701 or 1700;
}
