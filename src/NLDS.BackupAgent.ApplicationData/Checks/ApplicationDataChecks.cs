using System.Runtime.CompilerServices;
using System.Text;
using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Cache;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Checks;

/// <summary>Whether every query runs, every table can take its rows back, and the cache's keys can be read. Nothing is changed.</summary>
internal sealed class ApplicationDataChecks(ApplicationDataOptions options, Database database, ServerSettings settings, TimeProvider clock)
{
    public async IAsyncEnumerable<CheckFinding> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var sets = DataSet.Of(options);
        if (sets.Count > 0)
        {
            var (connection, refusal) = await TryOpenAsync(cancellationToken);
            if (connection is null)
            {
                yield return new CheckFinding("database", CheckVerdict.Fault, refusal!);
            }
            else
            {
                await using var owned = connection;
                yield return new CheckFinding("database", CheckVerdict.Good, $"PostgreSQL {connection.PostgreSqlVersion} as {database.Description}");
                foreach (var set in sets)
                {
                    yield return await JudgeAsync(connection, set, cancellationToken);
                }
            }
        }

        if (options.Cache.Enabled)
        {
            yield return await JudgeCacheAsync(cancellationToken);
        }
    }

    /// <summary>Whether both servers let us in, as far as they are needed.</summary>
    public async Task ReachAsync(CancellationToken cancellationToken)
    {
        if (DataSet.Of(options).Count > 0)
        {
            await using var opened = await database.OpenAsync(cancellationToken);
        }

        if (options.Cache.Enabled && settings.Cache is { } server)
        {
            try
            {
                await using var connection = await CacheConnection.OpenAsync(server, clock, cancellationToken);
                await connection.AskAsync("SCAN", cancellationToken, "0"u8.ToArray(), "COUNT"u8.ToArray(), "1"u8.ToArray());
            }
            catch (Exception failure) when (CacheConnection.IsExpected(failure))
            {
                throw new SourceException(failure.Message, isPermanent: false, failure);
            }
        }
    }

    private async Task<(NpgsqlConnection? Connection, string? Refusal)> TryOpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (await database.OpenAsync(cancellationToken), null);
        }
        catch (SourceException refused)
        {
            return (null, refused.Message);
        }
    }

    private static async Task<CheckFinding> JudgeAsync(NpgsqlConnection connection, DataSet set, CancellationToken cancellationToken)
    {
        var subject = $"data set {set.Name}";
        IReadOnlyList<ArchivedColumn> columns;
        try
        {
            columns = await QueryColumns.DescribeAsync(connection, set, cancellationToken);
            await Database.ExecuteAsync(connection, $"EXPLAIN {QueryColumns.Select(set)}", cancellationToken);
        }
        catch (Exception failure) when (failure is PostgresException or InvalidDataException)
        {
            return new CheckFinding(subject, CheckVerdict.Fault, $"its query fails: {Database.Words(failure)}. Correct ApplicationData:DataSets:{set.Name}, or set its Enabled to false.");
        }

        try
        {
            var table = await RestoreTable.FindAsync(connection, AsArchived(set, columns), cancellationToken);
            var mayWrite = await Database.ScalarAsync<bool>(
                connection,
                "SELECT has_table_privilege($1, 'SELECT') AND has_table_privilege($1, 'INSERT') AND has_table_privilege($1, 'UPDATE') AND has_database_privilege(current_database(), 'TEMPORARY')",
                cancellationToken,
                table.Name);
            var by = table.Key.Count > 0 ? $"by {string.Join(", ", table.Key)}" : "by whole rows, because the table has no primary key";
            return mayWrite
                ? new CheckFinding(subject, CheckVerdict.Good, $"{columns.Count} columns; goes back to {table.Name} {by}")
                : new CheckFinding(subject, CheckVerdict.Warning, $"can be read, but this role could not restore it: a restore needs SELECT, INSERT and UPDATE on {table.Name}, and TEMPORARY on the database.");
        }
        catch (Exception failure) when (failure is PostgresException or SourceException)
        {
            return new CheckFinding(subject, CheckVerdict.Warning, $"can be read, but not be restored as it is: {Database.Words(failure)}.");
        }
    }

    private static ArchivedSet AsArchived(DataSet set, IReadOnlyList<ArchivedColumn> columns) =>
        new() { Name = set.Name, Count = 0, Files = [], Table = set.Table, Key = set.Key, Columns = columns };

    private async Task<CheckFinding> JudgeCacheAsync(CancellationToken cancellationToken)
    {
        const string subject = $"data set {DataSet.Cache}";
        if (settings.Cache is not { } server)
        {
            return new CheckFinding(subject, CheckVerdict.Fault, "no Redis server is configured. Set Redis:Host (REDIS_HOST), or ApplicationData:Cache:Enabled to false.");
        }

        try
        {
            await using var connection = await CacheConnection.OpenAsync(server, clock, cancellationToken);
            var pattern = Encoding.UTF8.GetBytes(options.Cache.Pattern);
            await connection.AskAsync("SCAN", cancellationToken, "0"u8.ToArray(), "MATCH"u8.ToArray(), pattern, "COUNT"u8.ToArray(), "1"u8.ToArray());

            // A key of the pattern's own text: whether it is there or not, an answer says that the user may.
            await connection.AskAsync("PTTL", cancellationToken, pattern);
            await connection.AskAsync("DUMP", cancellationToken, pattern);
            return new CheckFinding(subject, CheckVerdict.Good, $"keys {options.Cache.Pattern} of Redis at {server}");
        }
        catch (Exception failure) when (CacheConnection.IsExpected(failure))
        {
            return new CheckFinding(subject, CheckVerdict.Fault, failure.Message);
        }
    }
}
