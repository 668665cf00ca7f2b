using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>Where to begin streaming. Pure: what the repository holds and what the server says go in, a decision comes out.</summary>
/// <param name="Timeline">The timeline to ask for; an ancestor of the server's when the archive does not have all of it.</param>
/// <param name="Start">
/// The start of the segment that holds <paramref name="Frontier"/>, or of the segment before when the frontier is a boundary: some of what the archive holds must
/// come again, or a copy of the cluster that wrote other WAL would go unnoticed.
/// </param>
/// <param name="Frontier">Everything before it on this timeline is durable.</param>
/// <param name="IsFirst">The archive holds nothing that this server's history continues.</param>
internal sealed record TailStart(uint Timeline, Lsn Start, Lsn Frontier, bool IsFirst)
{
    /// <summary>
    /// What the server was told at last, which is never taken back. On a new timeline it lies beyond the frontier: the first segment's beginning is durable on
    /// the timeline before, and a slot holds whole segments.
    /// </summary>
    public Lsn Acknowledged { get; private init; } = Frontier;

    /// <exception cref="SourceException">The server is not the one, or not in the state, that the archive was written from.</exception>
    public static TailStart Decide(
        LogInventory inventory, TimelineHistory history, Lsn serverPosition, SlotPositionOrNone slot, WalSegmentSize size, bool isStandby)
    {
        // A timeline of which only a hole is known has been begun too: its gap must not be recorded again and again.
        var archived = inventory.Pieces.Select(p => p.Lineage).Concat(inventory.Gaps.Select(g => g.Lineage)).Distinct().Select(WalNaming.Timeline).ToList();
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

        var born = history.Ancestors.LastOrDefault(ancestor => ancestor.Timeline < known)?.SwitchPoint ?? Lsn.Invalid;
        Lsn? begin = archived.Exists(timeline => timeline < known && history.Contains(timeline)) ? born : slot.Position is { } holds ? Lsn.Max(holds, born) : null;
        var frontier = FindFrontier(inventory, known, begin is { } lsn ? size.RoundDown(lsn) : null);
        if (history.SwitchPointOf(known) is { } switchPoint && frontier >= switchPoint)
        {
            var child = history.TimelineOwning(switchPoint);
            var start = size.RoundDown(switchPoint);
            return new TailStart(child, start, start, IsFirst: false) { Acknowledged = switchPoint };
        }

        if (known == history.Timeline && serverPosition < frontier)
        {
            throw isStandby
                ? new SourceException(
                    $"The standby has WAL on timeline {known} up to {serverPosition}, the repository up to {frontier}. Waiting for it to catch up.",
                    isPermanent: false)
                : new SourceException(
                    $"The server's WAL on timeline {known} ends at {serverPosition}, the repository has it up to {frontier}: the server was set back or is a copy. "
                    + "Nothing was changed. Give it a repository of its own.",
                    isPermanent: true);
        }

        return new TailStart(known, OverlappingStart(inventory, known, frontier, size), frontier, IsFirst: false) { Acknowledged = Lsn.Max(frontier, born) };
    }

    /// <summary>The same start without anything that was received before; for a server that has removed it.</summary>
    public TailStart WithoutOverlap(WalSegmentSize size) => this with { Start = size.RoundDown(Frontier) };

    private static Lsn OverlappingStart(LogInventory inventory, uint timeline, Lsn frontier, WalSegmentSize size)
    {
        var start = size.RoundDown(frontier);
        var lineage = WalNaming.Lineage(timeline);
        return start == frontier && inventory.Pieces.Any(p => p.IsSegment && p.Lineage == lineage && p.Range.End == start.Value)
            ? start - (ulong)size.Bytes
            : start;
    }

    /// <summary>
    /// Does the end of the log tell enough to decide by? Not when the server's history has nothing to do with the timeline that it begins on: then it may continue
    /// an older one.
    /// </summary>
    public static bool IsToldBy(LogInventory end, TimelineHistory history) => end.From is not { } from || history.Contains(WalNaming.Timeline(from.Lineage));

    /// <summary>The end of the first run without a hole; recorded gaps and what retention removed are stepped over, any other hole ends it.</summary>
    /// <param name="begin">
    /// Where the log of the timeline began, or what the server still holds for it: segments are put beside one another, so an agent that was killed may have put the second
    /// and not the first, which would otherwise never be asked for again.
    /// </param>
    private static Lsn FindFrontier(LogInventory inventory, uint timeline, Lsn? begin)
    {
        var lineage = WalNaming.Lineage(timeline);

        // Of what lies before a listing's beginning only chunks that somebody left behind and old gaps are in it.
        var listedFrom = inventory.From is { } from && from.Lineage == lineage ? from.Position : 0;
        var position = inventory.Pieces.Where(p => p.Lineage == lineage).Select(p => p.Range.Start)
            .Concat(inventory.Gaps.Where(g => g.Lineage == lineage).Select(g => g.Start))
            .Where(start => start >= listedFrom).Min();
        position = begin is { } first && listedFrom == 0 ? Math.Min(position, first.Value) : position;
        while (true)
        {
            var end = inventory.Cover(lineage, position).End;
            var gap = inventory.Gaps.FirstOrDefault(g => g.Lineage == lineage && g.Start <= end && end < g.End);
            if ((gap?.End ?? inventory.Pruned.EndBehind(lineage, end)) is not { } next)
            {
                return new Lsn(end);
            }

            position = next;
        }
    }
}

/// <summary>What the slot holds back, as far as it says.</summary>
internal readonly record struct SlotPositionOrNone(Lsn? Position, uint? Timeline);
