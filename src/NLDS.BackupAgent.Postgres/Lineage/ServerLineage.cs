using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary>Which line of history a server is on, as it says itself.</summary>
/// <param name="Identity">Who it is and where it stood when it was asked.</param>
/// <param name="History">Its timeline and the ancestors.</param>
/// <param name="Files">The history files: its own first, then every ancestor's, because a hole in the chain would silently cap what "latest" means in a restore.</param>
/// <param name="IsStandby">It replays what another one writes, or still recovers.</param>
/// <param name="Restored">The restore that it came out of, or null.</param>
internal sealed record ServerLineage(SystemIdentity Identity, TimelineHistory History, IReadOnlyList<HistoryFile> Files, bool IsStandby, RestoreId? Restored)
{
    public static async Task<ServerLineage> ReadAsync(ReplicationConnection connection, SystemIdentity identity, CancellationToken cancellationToken)
    {
        var restored = await RestoreId.ReadAsync(connection, cancellationToken);
        var files = await FetchHistoriesAsync(connection, identity.Timeline, cancellationToken);
        var history = files.Count > 0 ? Parse(identity.Timeline, files[0]) : TimelineHistory.WithoutAncestors(identity.Timeline);

        // The server says so by itself, at the start of a connection (manual, 55.2.7).
        var isStandby = connection.Parameters.GetValueOrDefault("in_hot_standby") == "on";
        return new ServerLineage(identity, history, files, isStandby, restored);
    }

    private static async Task<IReadOnlyList<HistoryFile>> FetchHistoriesAsync(
        ReplicationConnection connection, uint timeline, CancellationToken cancellationToken)
    {
        if (timeline == 1)
        {
            return [];
        }

        var newest = await connection.TimelineHistoryAsync(timeline, cancellationToken);
        List<HistoryFile> files = [newest];
        foreach (var ancestor in Parse(timeline, newest).Ancestors.Where(a => a.Timeline > 1))
        {
            files.Add(await connection.TimelineHistoryAsync(ancestor.Timeline, cancellationToken));
        }

        return files;
    }

    private static TimelineHistory Parse(uint timeline, HistoryFile file) => TimelineHistory.Parse(timeline, Encoding.UTF8.GetString(file.Content));
}
