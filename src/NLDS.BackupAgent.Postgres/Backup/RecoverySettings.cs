using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Backup;

/// <summary>The settings that make a recovering server pause or stop when it has less of them than the original had (manual, 26.4.3).</summary>
internal static class RecoverySettings
{
    private static readonly string[] Names =
        ["max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"];

    public static async Task<IReadOnlyDictionary<string, string>> ReadAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        var settings = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in Names)
        {
            settings.Add(name, await connection.ShowAsync(name, cancellationToken));
        }

        return settings;
    }
}
