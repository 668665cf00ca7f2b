using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Which moments the planner would find, over a log with gaps: of each base backup those from its end as far as the log goes on. Retention may have removed the backup that
/// healed a gap; then the log behind the gap reaches nobody until the next one.
/// </summary>
internal static class RestorableMoments
{
    /// <param name="inventory">A whole one.</param>
    /// <param name="proven">The moment that is proven at the end of the log.</param>
    /// <exception cref="NotRestorableException">The line of history is not known: nothing can be restored.</exception>
    public static async Task<IReadOnlyList<MomentSpan>> FindAsync(
        LogArchive archive, LogInventory inventory, IEnumerable<BaseBackup> backups, DateTimeOffset? proven, WalSegmentSize size, CancellationToken cancellationToken)
    {
        var history = await RestorePlanner.ChooseHistoryAsync(archive, inventory, cancellationToken);
        var ends = new Dictionary<Lsn, DateTimeOffset?>();
        var reaches = new List<(DateTimeOffset From, Lsn End, DateTimeOffset To)>();
        foreach (var backup in backups.Where(b => history.TimelineOwning(b.End - 1) == b.Details.EndTimeline))
        {
            var path = WalPath.Find(inventory, history, backup.Start, size);
            if (path.End < backup.End)
            {
                continue;
            }

            if (!ends.TryGetValue(path.End, out var end))
            {
                ends[path.End] = end = path.Hole is null ? proven : await LastCommitAsync(archive, path, cancellationToken);
            }

            reaches.Add((backup.Sealed.Manifest.Ended, path.End, end ?? backup.Sealed.Manifest.Ended));
        }

        return MomentSpan.Of(reaches);
    }

    /// <summary>Before a hole a time can be restored only where a later transaction shows that nothing before it is missing.</summary>
    private static async Task<DateTimeOffset?> LastCommitAsync(LogArchive archive, WalPath path, CancellationToken cancellationToken)
    {
        foreach (var piece in path.Files.SelectMany(file => file.Pieces).Reverse())
        {
            if (archive.CanRead(piece) && (await archive.ReadSealAsync(piece, cancellationToken)).Latest is { } latest)
            {
                return latest;
            }
        }

        return null;
    }
}
