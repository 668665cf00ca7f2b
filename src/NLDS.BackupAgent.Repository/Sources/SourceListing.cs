using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>What the repository holds of one source.</summary>
/// <param name="Source">Its name.</param>
/// <param name="Backups">Sealed backups, oldest first.</param>
/// <param name="Log">The log's recoverable part; null for a source without one, or before its first byte.</param>
public sealed record SourceListing(string Source, IReadOnlyList<SealedBackup> Backups, LogListing? Log)
{
    /// <summary>Backups whose manifest cannot be relied on.</summary>
    public IReadOnlyList<DamagedBackup> Damaged { get; init; } = [];

    /// <summary>By a backup's id, why retention keeps it; null where no policy was asked.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Kept { get; init; }
}

/// <summary>What a log allows.</summary>
/// <param name="RestorableFrom">The earliest moment that can be restored: the end of the oldest usable backup. Not every later one can be where there are gaps, see <see cref="Spans"/>.</param>
/// <param name="RestorableTo">The newest moment that a restore would reach.</param>
/// <param name="EndPosition">The end of the durable log as the source writes positions.</param>
/// <param name="Gaps">Holes in between, oldest first; a restore cannot cross them.</param>
public sealed record LogListing(DateTimeOffset? RestorableFrom, DateTimeOffset? RestorableTo, string EndPosition, IReadOnlyList<LogGapListing> Gaps)
{
    /// <summary>
    /// The moments that can be restored, in order: from a backup as far as the log behind it goes on without a hole. Between a hole and the first backup that stands behind it
    /// there are none, even where there is log.
    /// </summary>
    public IReadOnlyList<MomentSpan> Spans { get; init; } = RestorableFrom is { } from && RestorableTo is { } to ? [new MomentSpan(from, to)] : [];

    /// <summary>The same as far as these moments can be restored.</summary>
    public LogListing Within(IReadOnlyList<MomentSpan> spans) => this with
    {
        RestorableFrom = spans.Count > 0 ? spans[0].From : null,
        RestorableTo = spans.Count > 0 ? spans[^1].To : null,
        Spans = spans,
    };
}

/// <summary>Every moment from one to another.</summary>
public sealed record MomentSpan(DateTimeOffset From, DateTimeOffset To)
{
    /// <summary>Spans from what each backup reaches: those that end at the same place of the log are one. In order.</summary>
    public static IReadOnlyList<MomentSpan> Of<TEnd>(IEnumerable<(DateTimeOffset From, TEnd End, DateTimeOffset To)> reaches) => [.. reaches
        .GroupBy(reach => reach.End)
        .Select(same => new MomentSpan(same.Min(reach => reach.From), same.Max(reach => reach.To > reach.From ? reach.To : reach.From)))
        .OrderBy(span => span.From)];
}

/// <summary>One hole.</summary>
public sealed record LogGapListing(string From, string To, string Reason, DateTimeOffset? RecordedAt);
