using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Postgres.Retention;

/// <summary>
/// Which WAL stays when certain base backups do. Pure. Everything from the first segment of the backup that the recovery window begins with; before that, of each
/// kept backup only the segments from its start to its end, without which it is never consistent.
/// </summary>
internal static class WalNeeds
{
    /// <param name="archive">Where the WAL lies.</param>
    /// <param name="inventory">What is there.</param>
    /// <param name="history">The line of history that restores follow.</param>
    /// <param name="kept">The base backups that stay.</param>
    /// <param name="since">Every moment from here on must stay restorable, as far as it is now.</param>
    /// <param name="size">The cluster's segment size.</param>
    public static LogNeeds Find(
        LogArchive archive, LogInventory inventory, TimelineHistory history, IReadOnlyList<BaseBackup> kept, DateTimeOffset since, WalSegmentSize size)
    {
        List<BaseBackup> onHistory =
            [.. kept.Where(b => history.TimelineOwning(b.End - 1) == b.Details.EndTimeline).OrderBy(b => b.Start.Value)];
        if (onHistory.LastOrDefault(b => b.Sealed.Manifest.Ended <= since) is not { } first)
        {
            // The log of a young repository is short, and a backup that is being taken may need any of it.
            return onHistory is [var oldest, ..]
                ? Everything(archive, inventory) with { RestorableFrom = oldest.Sealed.Manifest.Ended }
                : Everything(archive, inventory, $"No WAL is removed: no base backup lies on the history of timeline {history.Timeline}, which the log has reached.");
        }

        var timelines = history.Ancestors.Select(a => a.Timeline).Append(history.Timeline).ToHashSet();
        List<string> strangers =
            [.. inventory.Pieces.Select(p => p.Lineage).Distinct().Where(lineage => !timelines.Contains(WalNaming.Timeline(lineage))).Order(StringComparer.Ordinal)];
        return new LogNeeds
        {
            Archive = archive,
            Inventory = inventory,
            WholeFrom = timelines.ToDictionary(WalNaming.Lineage, _ => size.RoundDown(first.Start).Value),
            Islands = [.. kept.SelectMany(b => Island(b, timelines, size))],
            RestorableFrom = first.Sealed.Manifest.Ended,
            Remarks = [.. strangers.Select(lineage => $"WAL of timeline {lineage} is kept: it is not on the history of timeline {history.Timeline}.")],
        };
    }

    /// <summary>When nobody can judge, all of it stays.</summary>
    public static LogNeeds Everything(LogArchive archive, LogInventory inventory, params string[] remarks) => new()
    {
        Archive = archive,
        Inventory = inventory,
        WholeFrom = new Dictionary<string, ulong>(),
        Islands = [],
        RestorableFrom = null,
        Remarks = remarks,
    };

    /// <summary>
    /// On every timeline, because a switch may lie inside the stretch, or behind it in its last segment, which recovery then reads from the child.
    /// </summary>
    private static IEnumerable<LogSection> Island(BaseBackup backup, IReadOnlySet<uint> timelines, WalSegmentSize size)
    {
        var start = size.RoundDown(backup.Start).Value;
        var end = (size.RoundDown(backup.End - 1) + (ulong)size.Bytes).Value;
        return timelines.Append(backup.Details.StartTimeline).Append(backup.Details.EndTimeline).Distinct().Select(t => new LogSection(WalNaming.Lineage(t), start, end));
    }
}
