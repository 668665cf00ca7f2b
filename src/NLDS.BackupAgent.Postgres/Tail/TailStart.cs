using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>Where to begin streaming. Pure: what the repository holds and what the server says go in, a decision comes out.</summary>
/// <param name="Timeline">The timeline to ask for; an ancestor of the server's when the archive does not have all of it.</param>
/// <param name="Start">The start of the segment that holds <paramref name="Frontier"/>.</param>
/// <param name="Frontier">Everything before it on this timeline is durable.</param>
/// <param name="IsFirst">The archive holds nothing that this server's history continues.</param>
internal sealed record TailStart(uint Timeline, Lsn Start, Lsn Frontier, bool IsFirst)
{
    /// <exception cref="SourceException">The server is not the one, or not in the state, that the archive was written from.</exception>
    public static TailStart Decide(
        LogInventory inventory, TimelineHistory history, Lsn serverPosition, SlotPositionOrNone slot, WalSegmentSize size)
    {
        var archived = inventory.Pieces.Select(p => WalNaming.Timeline(p.Lineage)).Distinct().ToList();
        var newest = archived.Count > 0 ? archived.Max() : 0;
        if (newest > history.Timeline)
        {
            throw new SourceException(
                $"The server is on timeline {history.Timeline}, the repository has WAL of timeline {newest}: this server is an older copy of the cluster. "
                + "Nothing was changed. Point the agent at the current primary, or give this server a repository of its own.",
                isPermanent: true);
        }

        var known = archived.Where(history.Contains).DefaultIfEmpty().Max();
        if (known == 0)
        {
            var from = slot.Position ?? serverPosition;
            var timeline = slot.Timeline is { } held && history.Contains(held) ? held : history.TimelineOwning(from);
            return new TailStart(timeline, size.RoundDown(from), size.RoundDown(from), IsFirst: true);
        }

        var frontier = FindFrontier(inventory, known);
        if (history.SwitchPointOf(known) is { } switchPoint && frontier >= switchPoint)
        {
            var child = history.TimelineOwning(switchPoint);
            var start = size.RoundDown(switchPoint);
            return new TailStart(child, start, start, IsFirst: false);
        }

        if (known == history.Timeline && serverPosition < frontier)
        {
            throw new SourceException(
                $"The server's WAL on timeline {known} ends at {serverPosition}, the repository has it up to {frontier}: the server was set back or is a copy. "
                + "Nothing was changed. Give it a repository of its own.",
                isPermanent: true);
        }

        return new TailStart(known, size.RoundDown(frontier), frontier, IsFirst: false);
    }

    /// <summary>The end of the first run without a hole; recorded gaps are stepped over, an unrecorded hole ends it.</summary>
    public static Lsn FindFrontier(LogInventory inventory, uint timeline)
    {
        var lineage = WalNaming.Lineage(timeline);
        var position = inventory.Pieces.Where(p => p.Lineage == lineage).Min(p => p.Range.Start);
        while (true)
        {
            var end = inventory.Cover(lineage, position).End;
            var gap = inventory.Gaps.FirstOrDefault(g => g.Lineage == lineage && g.Start <= end && end < g.End);
            if (gap is null)
            {
                return new Lsn(end);
            }

            position = gap.End;
        }
    }
}

/// <summary>What the slot holds back, as far as it says.</summary>
internal readonly record struct SlotPositionOrNone(Lsn? Position, uint? Timeline);
