using NLDS.BackupAgent.Postgres.Retention;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>Finds what is missing from a log by what is there, and by what once was. Pure.</summary>
internal static class WalContinuity
{
    /// <summary>Each hole between two pieces of a timeline. What retention removed is meant; a recorded gap was told of when it was met, and is no damage of the repository.</summary>
    public static IEnumerable<WalFault> Holes(LogInventory inventory)
    {
        foreach (var lineage in inventory.Pieces.GroupBy(p => p.Lineage).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            ulong? end = null;
            foreach (var piece in lineage.OrderBy(p => p.Range.Start).ThenByDescending(p => p.Range.End))
            {
                if (piece.Range.Start > end && !inventory.Pruned.Explains(piece.Lineage, end.Value, piece.Range.Start)
                    && !inventory.Gaps.Any(g => g.Lineage == piece.Lineage && g.Start <= end && g.End >= piece.Range.Start))
                {
                    yield return WalFault.Missing(piece.Lineage, end.Value, piece.Range.Start, "is missing from the repository, and no gap was recorded");
                }

                end = end > piece.Range.End ? end : piece.Range.End;
            }
        }
    }

    /// <summary>What was durable once is still there.</summary>
    public static IEnumerable<WalFault> Vanished(LogInventory inventory)
    {
        if (inventory.Confirmation is { } confirmed
            && (inventory.Pieces.Where(p => p.Lineage == confirmed.Lineage).Max(p => (ulong?)p.Range.End) ?? 0) is var end && end < confirmed.Position)
        {
            yield return WalFault.Missing(
                confirmed.Lineage, end, confirmed.Position, $"was durable at {confirmed.AsOf.UtcDateTime:O} and is missing from the repository");
        }
    }

    /// <summary>A base backup needs the WAL from its start to its end.</summary>
    public static IEnumerable<WalFault> BeforeConsistency(LogInventory inventory, BaseBackup backup)
    {
        var size = backup.SegmentSize;
        var lineage = WalNaming.Lineage(backup.Details.EndTimeline);
        var first = backup.Details.StartTimeline == backup.Details.EndTimeline
            ? size.RoundDown(backup.Start).Value
            : inventory.Pieces.Where(p => p.Lineage == lineage).Min(p => (ulong?)p.Range.Start) ?? 0;
        var end = inventory.Cover(lineage, first).End;
        if (end < backup.End.Value)
        {
            yield return WalFault.Missing(
                lineage, end, backup.End.Value, $"is missing from the repository: base backup {backup.Sealed.Id} cannot be made consistent without it");
        }
    }

    /// <summary>
    /// A timeline begins where its parent has come to, and the parent's log goes up to there: a tail follows the child only when it has all of the parent, and from
    /// the child's first segment on.
    /// </summary>
    public static IEnumerable<WalFault> BeforeTimeline(LogInventory inventory, TimelineHistory history, WalSegmentSize size)
    {
        if (history.Ancestors is not [.., var switched])
        {
            yield break;
        }

        var (parent, child) = (WalNaming.Lineage(switched.Timeline), WalNaming.Lineage(history.Timeline));
        var begins = inventory.Pieces.Where(p => p.Lineage == child).Min(p => (ulong?)p.Range.Start);
        var end = inventory.Pieces.Where(p => p.Lineage == parent && p.Range.Start < history.Start.Value).Max(p => (ulong?)p.Range.End);
        if (begins is not null && end < history.Start.Value && !IsPruned(end.Value, begins.Value)
            && !inventory.Gaps.Any(g => g.Lineage == parent && g.Start <= end && g.End > end))
        {
            yield return WalFault.Missing(
                parent, end.Value, history.Start.Value, $"is missing from the repository, where timeline {history.Timeline} follows {switched.Timeline}");
        }

        var childStart = size.RoundDown(history.Start).Value;
        if (end is not null && begins > history.Start.Value && !inventory.Pruned.Explains(child, childStart, begins.Value)
            && !inventory.Gaps.Any(g => g.Lineage == child && g.Start <= history.Start.Value && g.End >= begins))
        {
            yield return WalFault.Missing(
                child, childStart, begins.Value, $"is missing from the repository, where timeline {history.Timeline} follows {switched.Timeline}");
        }

        // Nothing was removed at a joint where the child's first segment is there and the parent reaches into it.
        bool IsPruned(ulong parentEnd, ulong childBegins)
        {
            var first = size.RoundDown(history.Start).Value;
            return (parentEnd < first || childBegins > first) && PrunedWal.ExplainsJoint(inventory.Pruned, parent, child, first, parentEnd, childBegins);
        }
    }
}
