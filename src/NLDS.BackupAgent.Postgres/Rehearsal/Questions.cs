using Npgsql;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>Questions over a connection, answered in text.</summary>
internal static class Questions
{
    /// <returns>The first column of the first row; null when there is none.</returns>
    public static async Task<string?> AskAsync(this NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return AnswerText.Of(await command.ExecuteScalarAsync(cancellationToken));
    }

    /// <returns>The first column of all rows, which are texts.</returns>
    public static async Task<IReadOnlyList<string>> ListAsync(this NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new List<string>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }
}
