using System.Globalization;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>Says of damage which moments it costs: those that a restore could reach without it and cannot with it.</summary>
internal sealed class DamageCosts
{
    private readonly LogArchive archive;
    private readonly TimelineHistory history;
    private readonly IReadOnlyList<BaseBackup> backups;
    private readonly IReadOnlyCollection<BaseBackup> lost;
    private readonly IReadOnlyList<LogPiece> sound;
    private readonly IReadOnlyDictionary<WalFault, IReadOnlyList<LogRange>> holes;
    private readonly IReadOnlyList<LogRange> gaps;
    private readonly ulong end;

    /// <param name="history">The line of history that a restore to the newest moment follows.</param>
    /// <param name="all">Every base backup of which the manifest is sound, whether or not its objects are.</param>
    /// <param name="lost">Of these the ones that cannot be restored.</param>
    public DamageCosts(
        LogArchive archive,
        LogInventory inventory,
        TimelineHistory history,
        IReadOnlyList<BaseBackup> all,
        IReadOnlyCollection<BaseBackup> lost,
        IReadOnlyList<WalFault> faults)
    {
        (this.archive, this.history, this.lost) = (archive, history, lost);
        backups = [.. all.Where(b => history.TimelineOwning(b.End - 1) == b.Details.EndTimeline)];
        var damaged = faults.Select(f => f.Subject).ToHashSet(StringComparer.Ordinal);
        sound = [.. inventory.Pieces.Where(p => !damaged.Contains(p.Name))];
        var bySegment = sound.ToLookup(p => (p.Lineage, archive.Naming.SegmentAt(p.Range.Start)));
        holes = faults.Distinct().ToDictionary(f => f, f => Holes(f, bySegment[(f.Lineage, archive.Naming.SegmentAt(f.Range.Start))]));
        gaps = [.. inventory.Gaps.SelectMany(g => OnHistory(g.Lineage, new LogRange(g.Start, g.End)))];
        end = inventory.Pieces.SelectMany(p => OnHistory(p.Lineage, p.Range)).Concat(holes.Values.SelectMany(h => h)).Select(r => r.End).DefaultIfEmpty().Max();
    }

    public Task<DamageFinding> PriceAsync(WalFault fault, CancellationToken cancellationToken) => DescribeAsync(
        fault.Subject,
        fault.What,
        [.. Difference(lost, holes.Keys.Except([fault])), .. RestorableSpans.Without(Restorable([], []), Restorable([], [fault]))],
        "none: no restore to the newest timeline needs it, or other objects hold the same WAL",
        cancellationToken);

    public Task<DamageFinding> PriceAsync(BaseBackup backup, string subject, string what, CancellationToken cancellationToken)
    {
        var gone = WithChildren(backups, [backup]);
        return DescribeAsync(
            subject,
            what,
            [.. Difference(lost.Except(gone), holes.Keys), .. RestorableSpans.Without(Restorable([], []), Restorable(gone, []))],
            $"none: an older base backup and the WAL since reach every moment that {string.Join(", ", gone.Append(backup).Distinct().Select(b => b.Sealed.Id))} "
            + $"{(gone.Count > 1 ? "do" : "does")}; a restore takes longer",
            cancellationToken);
    }

    /// <summary>Some backups, and those that build upon them: what costs one costs all of them.</summary>
    /// <param name="all">Oldest first.</param>
    public static IReadOnlyList<BaseBackup> WithChildren(IEnumerable<BaseBackup> all, IEnumerable<BaseBackup> some)
    {
        var ids = some.Select(b => b.Sealed.Id.ToString()).ToHashSet();
        return [.. all.Where(b => ids.Contains(b.Sealed.Id.ToString()) || (b.Sealed.Parent is { } parent && ids.Contains(parent) && ids.Add(b.Sealed.Id.ToString())))];
    }

    /// <summary>What could be restored if only this were damaged, less what can be with all the damage there is.</summary>
    private IReadOnlyList<LogRange> Difference(IEnumerable<BaseBackup> without, IEnumerable<WalFault> faults) =>
        RestorableSpans.Without(Restorable(without, faults), Restorable(lost, holes.Keys));

    private IReadOnlyList<LogRange> Restorable(IEnumerable<BaseBackup> without, IEnumerable<WalFault> faults) => RestorableSpans.Of(
        backups.Except(without).Select(b => (b.Start.Value, b.End.Value)), RestorableSpans.Merge([.. faults.SelectMany(f => holes[f]), .. gaps]), end);

    /// <summary>The part of a fault that recovery along this history would read and that nothing else holds.</summary>
    private IReadOnlyList<LogRange> Holes(WalFault fault, IEnumerable<LogPiece> others) =>
        LogCover.Find(others, fault.Lineage, fault.Range.Start, fault.Range.End).End >= fault.Range.End ? [] : [.. OnHistory(fault.Lineage, fault.Range)];

    /// <summary>A timeline counts from the segment in which it began, because recovery reads that one in place of its parent's, to the one in which it ended.</summary>
    private IEnumerable<LogRange> OnHistory(string lineage, LogRange range)
    {
        var timeline = WalNaming.Timeline(lineage);
        if (!history.Contains(timeline))
        {
            yield break;
        }

        var began = history.Ancestors.LastOrDefault(a => a.Timeline < timeline) is { } parent ? archive.Naming.SegmentAt(parent.SwitchPoint.Value).Start : 0;
        var ended = history.SwitchPointOf(timeline) is { } switched ? archive.Naming.SegmentAt(switched.Value).Start : ulong.MaxValue;
        var clipped = new LogRange(Math.Max(range.Start, began), Math.Min(range.End, ended));
        if (clipped.Start < clipped.End)
        {
            yield return clipped;
        }
    }

    private async Task<DamageFinding> DescribeAsync(
        string subject, string what, IReadOnlyList<LogRange> costs, string none, CancellationToken cancellationToken)
    {
        var spans = RestorableSpans.Merge(costs);
        if (spans.Count == 0)
        {
            return new DamageFinding(subject, what, none);
        }

        var words = new List<string>();
        foreach (var span in spans)
        {
            words.Add(Words(span, await MomentAsync(span.Start, cancellationToken), span.End > end ? null : await MomentAsync(span.End, cancellationToken)));
        }

        return new DamageFinding(subject, what, $"restore to a moment {string.Join(", and ", words)} is impossible")
        {
            LostFrom = await MomentAsync(spans[0].Start, cancellationToken),
            LostTo = spans[^1].End > end ? null : await MomentAsync(spans[^1].End, cancellationToken),
        };
    }

    private string Words(LogRange span, DateTimeOffset? from, DateTimeOffset? to) => (from, to) switch
    {
        ({ } first, { } last) => $"from {Words(first)} to {Words(last)}",
        ({ } first, null) when span.End > end => $"after {Words(first)}",
        _ => $"between the positions {new Lsn(span.Start)} and {new Lsn(span.End - 1)}",
    };

    /// <summary>When the log came to a position: the end of a base backup that ends there, or what the last sound piece before it says.</summary>
    private async Task<DateTimeOffset?> MomentAsync(ulong position, CancellationToken cancellationToken)
    {
        if (backups.FirstOrDefault(b => b.End.Value == position) is { } backup)
        {
            return backup.Sealed.Manifest.Ended;
        }

        if (sound.Where(p => p.Range.End <= position && OnHistory(p.Lineage, p.Range).Any()).MaxBy(p => p.Range.End) is not { } before)
        {
            return null;
        }

        try
        {
            var seal = await archive.ReadSealAsync(before, cancellationToken);
            return seal.AsOf > seal.Latest || seal.Latest is null ? seal.AsOf : seal.Latest;
        }
        catch (NotRestorableException)
        {
            // It was removed meanwhile, or is damaged and was not read; the position has to do.
            return null;
        }
    }

    private static string Words(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
