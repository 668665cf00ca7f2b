using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary>Which line of history a server is on, as it says itself.</summary>
/// <param name="Identity">Who it is and where it stood when it was asked.</param>
/// <param name="History">Its timeline and the ancestors.</param>
/// <param name="Files">The history files: its own first, then every ancestor's, because a hole in the chain would silently cap what "latest" means in a restore.</param>
/// <param name="Restored">The restore that it came out of, or null.</param>
internal sealed record ServerLineage(SystemIdentity Identity, TimelineHistory History, IReadOnlyList<HistoryFile> Files, RestoreId? Restored)
{
    public static async Task<ServerLineage> ReadAsync(ReplicationConnection connection, SystemIdentity identity, CancellationToken cancellationToken)
    {
        var restored = await RestoreId.ReadAsync(connection, cancellationToken);
        var files = await FetchHistoriesAsync(connection, identity.Timeline, cancellationToken);
        var history = files.Count > 0 ? Parse(identity.Timeline, files[0]) : TimelineHistory.WithoutAncestors(identity.Timeline);
        return new ServerLineage(identity, history, files, restored);
    }

    private static async Task<IReadOnlyList<HistoryFile>> FetchHistoriesAsync(
        ReplicationConnection connection, uint timeline, CancellationToken cancellationToken)
    {
        if (timeline == 1)
        {
            return [];
        }

        List<HistoryFile> files = [await connection.TimelineHistoryAsync(timeline, cancellationToken)];
        while (TimelineHistory.ParentOf(timeline, files[^1].Content) is var (parent, copied))
        {
            files.Add(await FetchOrCutOutAsync(connection, parent, copied, cancellationToken));
            timeline = parent;
        }

        return files;
    }

    /// <summary>A standby that pg_basebackup made has the newest history file and those that came later, and none from before. Its child's file holds it whole.</summary>
    private static async Task<HistoryFile> FetchOrCutOutAsync(ReplicationConnection connection, uint timeline, byte[] copied, CancellationToken cancellationToken)
    {
        try
        {
            return await connection.TimelineHistoryAsync(timeline, cancellationToken);
        }
        catch (PostgresServerException absent) when (absent.SqlState == SqlStates.UndefinedFile)
        {
            return new HistoryFile(TimelineHistory.FileName(timeline), copied);
        }
    }

    private static TimelineHistory Parse(uint timeline, HistoryFile file) => TimelineHistory.Parse(timeline, Encoding.UTF8.GetString(file.Content));
}
