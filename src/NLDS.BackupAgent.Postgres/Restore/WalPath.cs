using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>One segment file that recovery will read, and the pieces that make it. Pieces may end before the segment does; zeros follow.</summary>
internal sealed record WalFile(WalSegment Segment, IReadOnlyList<LogPiece> Pieces)
{
    /// <summary>How far the pieces reach.</summary>
    public Lsn End => new(Pieces[^1].Range.End);
}

/// <summary>The log from a backup to the end of the archive along one history, without a hole. Pure.</summary>
/// <param name="Files">One for each segment number, on the timeline that recovery will want it from.</param>
/// <param name="End">How far they reach.</param>
/// <param name="Hole">Why they reach no further although they should, in words; null when this is the end of the archive.</param>
internal sealed record WalPath(TimelineHistory History, IReadOnlyList<WalFile> Files, Lsn End, string? Hole)
{
    /// <summary>
    /// Follows <paramref name="history"/> from <paramref name="from"/> on. At a switch point the child's first segment, which begins with a copy of the
    /// parent's bytes, takes the parent's place, as recovery itself has it.
    /// </summary>
    public static WalPath Find(LogInventory inventory, TimelineHistory history, Lsn from, WalSegmentSize size)
    {
        var files = new List<WalFile>();
        var position = size.RoundDown(from);
        while (true)
        {
            var timeline = SegmentOwner(history, position, size);
            var switchPoint = history.SwitchPointOf(timeline);
            var until = switchPoint is { } point ? size.RoundDown(point) : new Lsn(ulong.MaxValue);
            var lineage = WalNaming.Lineage(timeline);
            var cover = inventory.Cover(lineage, position.Value, until.Value);
            var end = Lsn.Min(new Lsn(cover.End), until);
            files.AddRange(ToFiles(cover.Pieces, timeline, position, end, size));
            if (switchPoint is null)
            {
                return new WalPath(history, files, end, FindHole(inventory, lineage, WalSegment.Holding(end, timeline, size), end));
            }

            if (end < until)
            {
                var upTo = $"up to the switch to timeline {history.TimelineOwning(switchPoint.Value)} at {switchPoint}";
                return new WalPath(history, files, end, Missing(inventory, WalSegment.Holding(end, timeline, size), end, upTo));
            }

            position = until;
        }
    }

    /// <summary>The newest timeline that the log knows of.</summary>
    public static uint NewestTimeline(LogInventory inventory)
    {
        var newest = inventory.Pieces.Max(p => p.Lineage);
        var confirmed = inventory.Confirmation?.Lineage;
        return WalNaming.Timeline(string.CompareOrdinal(newest, confirmed) > 0 ? newest! : confirmed!);
    }

    /// <summary>History files that must be there, because there is log of their timeline, and are not.</summary>
    /// <param name="inventory">A whole one: a listing that begins later leaves files out.</param>
    public static IEnumerable<string> MissingHistories(LogInventory inventory) => inventory.Pieces
        .Select(p => WalNaming.Timeline(p.Lineage))
        .Append(inventory.Confirmation is { } confirmed ? WalNaming.Timeline(confirmed.Lineage) : 1)
        .Where(timeline => timeline > 1)
        .Distinct()
        .Order()
        .Select(TimelineHistory.FileName)
        .Where(name => !inventory.Files.ContainsKey(name));

    /// <summary>
    /// The files under the names that a recovery to <paramref name="timeline"/> asks for. A child's first segment begins with a copy of its parent's last, so
    /// it can stand in for that one up to the switch point, which a target on the parent lies before.
    /// </summary>
    public static IReadOnlyList<WalFile> AsOfTimeline(IReadOnlyList<WalFile> files, uint timeline, WalSegmentSize size) =>
        [.. files.Select(f => f.Segment.Timeline <= timeline ? f : f with { Segment = new WalSegment(timeline, f.Segment.Number, size) })];

    /// <summary>
    /// The files, and each child's first segment under its parents' names too. At the checkpoint of a promoted server's shutdown, recovery reads the state of transactions that
    /// were prepared before the promotion while it still counts itself to the parent's timeline, from the parent's file and no other, and ends without it (twophase.c,
    /// PrescanPreparedTransactions; xlogutils.c, XLogReadDetermineTimeline). Copies, not links: the server takes old files' place for new log, by name.
    /// </summary>
    public static IReadOnlyList<WalFile> WithParents(IReadOnlyList<WalFile> files, TimelineHistory history, WalSegmentSize size) =>
        [.. files.SelectMany(file => history.Ancestors
            .Where(parent => parent.Timeline < file.Segment.Timeline && file.Segment.Start < parent.SwitchPoint && parent.SwitchPoint < file.Segment.End)
            .Select(parent => file with { Segment = new WalSegment(parent.Timeline, file.Segment.Number, size) })
            .Append(file))];

    /// <summary>The files up to the one that holds the byte before <paramref name="end"/>.</summary>
    public IReadOnlyList<WalFile> FilesBefore(Lsn end) => [.. Files.Where(f => f.Segment.Start < end)];

    private static uint SegmentOwner(TimelineHistory history, Lsn segmentStart, WalSegmentSize size) =>
        history.TimelineOwning(segmentStart + ((ulong)size.Bytes - 1));

    private static string? FindHole(LogInventory inventory, string lineage, WalSegment segment, Lsn end)
    {
        var later = inventory.Pieces.Where(p => p.Lineage == lineage && p.Range.Start > end.Value).ToList();
        if (later.Count > 0)
        {
            return Missing(inventory, segment, end, $"up to {new Lsn(later.Min(p => p.Range.Start))}");
        }

        if (inventory.Gaps.FirstOrDefault(g => g.Lineage == lineage && g.Start <= end.Value && end.Value < g.End) is { } gap)
        {
            return Missing(inventory, segment, end, $"up to {new Lsn(gap.End)}");
        }

        return inventory.Confirmation is { } confirmed && confirmed.Lineage == lineage && confirmed.Position > end.Value
            ? $"WAL from {end} to {new Lsn(confirmed.Position)} on timeline {segment.Timeline} was durable at {confirmed.AsOf.UtcDateTime:O} and is missing from the repository now "
                + $"(segment {segment})"
            : null;
    }

    private static string Missing(LogInventory inventory, WalSegment segment, Lsn from, string until)
    {
        var lineage = WalNaming.Lineage(segment.Timeline);
        var gap = inventory.Gaps.FirstOrDefault(g => g.Lineage == lineage && g.Start <= from.Value && from.Value < g.End);
        var why = (gap, inventory.Pruned.EndBehind(lineage, from.Value)) switch
        {
            ({ } recorded, _) => $"a gap was recorded at {recorded.RecordedAt.UtcDateTime:O}: {recorded.Reason}",
            (null, not null) => "retention removed it, because it lay before the recovery window (Retention:RecoveryWindow)",
            _ => $"segment {segment} is missing from the repository, or a part of it",
        };
        return $"WAL is missing from {from} on timeline {segment.Timeline} {until}: {why}";
    }

    /// <summary>In one pass over both: pieces of a cover begin and end in order, and a year's log has a hundred thousand of them.</summary>
    private static IEnumerable<WalFile> ToFiles(IReadOnlyList<LogPiece> pieces, uint timeline, Lsn from, Lsn to, WalSegmentSize size)
    {
        var first = 0;
        for (var segment = WalSegment.Holding(from, timeline, size); segment.Start < to; segment = segment.Next)
        {
            while (pieces[first].Range.End <= segment.Start.Value)
            {
                first++;
            }

            var inside = new List<LogPiece>(1);
            for (var i = first; i < pieces.Count && pieces[i].Range.Start < segment.End.Value; i++)
            {
                inside.Add(pieces[i]);
            }

            yield return new WalFile(segment, inside);
        }
    }
}
