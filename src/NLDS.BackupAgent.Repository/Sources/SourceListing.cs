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
/// <param name="RestorableFrom">The earliest moment that can be restored: the end of the oldest usable backup.</param>
/// <param name="RestorableTo">The newest moment that a restore would reach.</param>
/// <param name="EndPosition">The end of the durable log as the source writes positions.</param>
/// <param name="Gaps">Holes in between, oldest first; a restore cannot cross them.</param>
public sealed record LogListing(DateTimeOffset? RestorableFrom, DateTimeOffset? RestorableTo, string EndPosition, IReadOnlyList<LogGapListing> Gaps);

/// <summary>One hole.</summary>
public sealed record LogGapListing(string From, string To, string Reason, DateTimeOffset? RecordedAt);
