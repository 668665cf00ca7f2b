using System.Diagnostics;
using Npgsql;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Rehearsal;

/// <summary>A restored cluster that something else has started, met over the network with the role of the backups. Nothing in it is changed.</summary>
internal sealed class PostgresVisit(PostgresRestorePlan plan, string version, PostgresSql sql, PostgresOptions options) : IRehearsal
{
    /// <summary>Which cluster it is, whether it was restored, how far it has come, and what would connect it with others.</summary>
    private const string Facts =
        $"""
        SELECT (SELECT system_identifier::text FROM pg_control_system()),
               coalesce(current_setting('{RestoreId.Setting}', true), ''),
               pg_is_in_recovery(),
               CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_current_wal_lsn()::text END,
               current_setting('archive_mode'),
               (SELECT count(*) FROM pg_replication_slots),
               (SELECT count(*) FROM pg_stat_replication)
        """;

    public IReadOnlyList<string> Description => [$"PostgreSQL {version} at {options.Host}:{options.Port}, as {options.Username}"];

    public static async Task<PostgresVisit> BeginAsync(PostgresRestorePlan plan, PostgresSql sql, PostgresOptions options, CancellationToken cancellationToken)
    {
        await using var connection = await sql.OpenAsync(cancellationToken);
        return new PostgresVisit(plan, connection.PostgreSqlVersion.ToString(), sql, options);
    }

    public async Task<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await sql.OpenAsync(cancellationToken);
            return await connection.AskAsync(question, cancellationToken) ?? "";
        }
        catch (NpgsqlException refused)
        {
            throw new SourceException($"The copy does not answer '{question}': {refused.Message}", isPermanent: true, refused);
        }
    }

    public async Task<IReadOnlyList<RehearsalProof>> ProveAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await using var connection = await sql.OpenAsync(cancellationToken);
            List<RehearsalProof> proofs = [.. await ReadFactsAsync(connection, cancellationToken)];
            var databases = await connection.ListAsync(StructureProof.Databases, cancellationToken);
            proofs.Add(await new CollationProof(sql.OpenAsync).ProveAsync(connection, databases, cancellationToken));
            proofs.Add(await new StructureProof(sql.OpenAsync, installs: false).ProveAsync(databases, () => budget - Stopwatch.GetElapsedTime(began), cancellationToken));
            return proofs;
        }
        catch (NpgsqlException refused)
        {
            throw PostgresFailure.Explain(refused, options);
        }
    }

    public async Task<IRehearsalClient> ConnectAsync(string? statement, CancellationToken cancellationToken) =>
        await PostgresRehearsalClient.StartAsync(await sql.OpenAsync(cancellationToken), statement, cancellationToken);

    /// <summary>Whoever started it stops it.</summary>
    public Task<IReadOnlyList<RehearsalProof>> StopAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<RehearsalProof>>([]);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<IReadOnlyList<RehearsalProof>> ReadFactsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Facts, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (identifier, restore, isRecovering, at) = (reader.GetString(0), reader.GetString(1), reader.GetBoolean(2), reader.GetString(3));
        var (archives, slots, followers) = (reader.GetString(4), reader.GetInt64(5), reader.GetInt64(6));
        return
        [
            identifier != plan.Backup.Details.SystemIdentifier
                ? new RehearsalProof("recovery", ProofVerdict.Failed, $"It is not the cluster that is backed up, but another ({identifier}). Was its volume filled from the store (restore postgres --if-empty)?")
                : restore.Length == 0 ? new RehearsalProof("recovery", ProofVerdict.Failed, "It is the original, not a copy: it was never restored.")
                : isRecovering || !Wal.Lsn.TryParse(at, out var end) || end < plan.Stop.Record
                    ? new RehearsalProof("recovery", ProofVerdict.Failed, $"It has recovered up to {at} only, not up to {plan.Stop.Record}.")
                    : new RehearsalProof("recovery", ProofVerdict.Proven, $"It was restored as {restore}, has recovered past {plan.Stop.Record} and was promoted; its log is at {at}."),
            archives == "off" && slots == 0 && followers == 0
                ? new RehearsalProof("closed off", ProofVerdict.Proven, "It archives nothing, has no replication slot, and nobody follows it.")
                : new RehearsalProof("closed off", ProofVerdict.Failed, $"archive_mode is {archives}, it has {slots} replication slots, and {followers} follow it."),
        ];
    }
}
