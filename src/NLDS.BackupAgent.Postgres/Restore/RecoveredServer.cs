using System.Diagnostics;
using Npgsql;
using NLDS.BackupAgent.Postgres.Rehearsal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>What the protected server tells behind a restore. Nothing in it is changed.</summary>
internal sealed class RecoveredServer(PostgresSql sql, PostgresOptions options)
{
    /// <summary>A restored directory names the end of its log as the target, for the latest moment too: how far it is there, the server itself knows.</summary>
    private const string Progress =
        """
        SELECT pg_is_in_recovery()::text,
               coalesce(pg_last_wal_replay_lsn()::text, ''),
               current_setting('recovery_target_lsn'),
               coalesce(greatest(0, nullif(current_setting('recovery_target_lsn'), '')::pg_lsn - pg_last_wal_replay_lsn())::text, '')
        """;

    public async Task<ServerState> LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await sql.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand(Progress, connection);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            return reader.GetString(0) == "false"
                ? new ServerState(IsReady: true, "PostgreSQL has recovered and takes writes.", 0)
                : new ServerState(
                    IsReady: false,
                    $"PostgreSQL has replayed its log up to {reader.GetString(1)}{(reader.GetString(2) is { Length: > 0 } target ? $" of {target}" : "")}.",
                    long.TryParse(reader.GetString(3), out var left) ? left : null);
        }
        catch (NpgsqlException unready) when (PostgresFailure.Explain(unready, options) is { IsPermanent: false } passing)
        {
            return new ServerState(IsReady: false, passing.Message);
        }
        catch (NpgsqlException refused)
        {
            throw PostgresFailure.Explain(refused, options);
        }
        catch (SourceException passing) when (!passing.IsPermanent)
        {
            return new ServerState(IsReady: false, passing.Message);
        }
    }

    public async Task<IReadOnlyList<RehearsalProof>> ProveAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await using var connection = await sql.OpenAsync(cancellationToken);
            var databases = await connection.ListAsync(StructureProof.Databases, cancellationToken);
            return
            [
                new RehearsalProof("databases", ProofVerdict.Proven, $"It has {databases.Count}: {string.Join(", ", databases.Take(10))}."),
                await new StructureProof(sql.OpenAsync, installs: false).ProveAsync(databases, () => budget - Stopwatch.GetElapsedTime(began), cancellationToken),
            ];
        }
        catch (NpgsqlException refused)
        {
            throw PostgresFailure.Explain(refused, options);
        }
    }
}
