using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>What a prune of one source would do, and why; nothing of it has been done.</summary>
public sealed record PrunePlan
{
    public required string Source { get; init; }

    public required DateTimeOffset Now { get; init; }

    public required RetentionPolicy Policy { get; init; }

    /// <summary>The log stays whole from the newest kept backup on that was complete by then.</summary>
    public required DateTimeOffset WholeLogSince { get; init; }

    /// <summary>All sealed backups, oldest first.</summary>
    public required IReadOnlyList<PlannedBackup> Backups { get; init; }

    /// <summary>What lies under ids without a manifest, oldest first: running sessions, and what dead ones left.</summary>
    public required IReadOnlyList<UnsealedBackup> Unsealed { get; init; }

    /// <summary>Backups whose manifest cannot be relied on: they take nobody's place, and are left alone.</summary>
    public required IReadOnlyList<DamagedBackup> Damaged { get; init; }

    /// <summary>What goes of the log; null for a source without one, and when nobody can judge what is needed.</summary>
    public required LogPlan? Log { get; init; }

    /// <summary>Why nothing may be removed, in sentences; empty when it may.</summary>
    public required IReadOnlyList<string> Refusals { get; init; }

    /// <summary>What people should know.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    public IEnumerable<PlannedBackup> Going => Backups.Where(b => !b.Decision.IsKept);

    /// <summary>Bytes in the store that go.</summary>
    public long FreedBytes => Going.Sum(b => b.StoredBytes) + Unsealed.Where(u => u.Goes).Sum(u => u.StoredBytes) + (Log?.StoredBytes ?? 0);
}

/// <summary>A sealed backup in a plan.</summary>
/// <param name="StoredBytes">All that lies under its id.</param>
public sealed record PlannedBackup(SealedBackup Backup, RetentionDecision Decision, long StoredBytes, bool IsVerified)
{
    /// <summary>An earlier prune had begun to remove it, but its manifest is there: the decision was made anew.</summary>
    internal bool HasTombstone { get; init; }
}

/// <summary>Objects under an id that has no manifest.</summary>
/// <param name="Goes">Whether they are removed.</param>
/// <param name="Because">Why, or why not: <c>running since …</c>, <c>left behind since …</c>.</param>
public sealed record UnsealedBackup(BackupId Id, long StoredBytes, bool Goes, string Because)
{
    /// <summary>When it began, if it may still be at work: it needs the log from there on.</summary>
    internal DateTimeOffset? MayRunSince { get; init; }
}

/// <summary>What goes of a log.</summary>
public sealed record LogPlan
{
    /// <summary>The stretches in which something goes.</summary>
    public required IReadOnlyList<LogPlanStretch> Stretches { get; init; }

    /// <summary>Every moment from here on can be restored afterwards; null when there is none.</summary>
    public required DateTimeOffset? RestorableFrom { get; init; }

    public long StoredBytes => Stretches.Sum(s => s.StoredBytes);
}

/// <summary>One stretch of a log that goes, with positions as the source writes them.</summary>
public sealed record LogPlanStretch(string Lineage, string From, string To, int Objects, long StoredBytes);
