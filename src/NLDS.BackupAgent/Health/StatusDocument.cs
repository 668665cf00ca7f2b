using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;

namespace NLDS.BackupAgent.Health;

/// <summary>What <c>/status</c> serves.</summary>
internal sealed record StatusDocument
{
    public required string Instance { get; init; }

    public required string Version { get; init; }

    public required DateTimeOffset Started { get; init; }

    public required DateTimeOffset Now { get; init; }

    public required bool Ready { get; init; }

    public required IReadOnlyList<string> NotReady { get; init; }

    /// <summary>Where the repository is.</summary>
    public required string? Store { get; init; }

    public required IReadOnlyList<SourceStatus> Sources { get; init; }

    public required IReadOnlyList<JobStatus> Jobs { get; init; }
}

internal sealed record SourceStatus
{
    public required string Name { get; init; }

    /// <summary>Null until the repository has been read.</summary>
    public required int? Backups { get; init; }

    public required BackupSummary? Newest { get; init; }

    /// <summary>The newest backup that was read back whole; null when none was.</summary>
    public required BackupSummary? NewestVerified { get; init; }

    /// <summary>The newest backups, oldest first.</summary>
    public required IReadOnlyList<BackupSummary> Recent { get; init; }

    /// <summary>The earliest moment that the log allows; null for a source without a log. Where there are gaps not every later one, see <see cref="Spans"/>.</summary>
    public required DateTimeOffset? RestorableFrom { get; init; }

    /// <summary>The newest moment that the repository's log allowed when it was last read.</summary>
    public required DateTimeOffset? RestorableTo { get; init; }

    /// <summary>The moments that could be restored when the repository was last read, in order; more than one span where there are gaps.</summary>
    public required IReadOnlyList<MomentSpan> Spans { get; init; }

    /// <summary>The holes in the log, oldest first.</summary>
    public required IReadOnlyList<LogGapListing> Gaps { get; init; }

    /// <summary>How long a restore to the newest moment should take now; null where nobody can say.</summary>
    public required double? RestoreEstimateSeconds { get; init; }

    /// <summary>When this agent last ended a verification; null before its first.</summary>
    public required DateTimeOffset? VerificationEnded { get; init; }

    /// <summary>What that verification found.</summary>
    public required IReadOnlyList<DamageFinding> Damage { get; init; }

    /// <summary>Null for a source without a log.</summary>
    public required TailStatus? Log { get; init; }
}

internal sealed record TailStatus
{
    public required string State { get; init; }

    public required bool IsStreaming { get; init; }

    public required string? Lineage { get; init; }

    public required ulong? DurablePosition { get; init; }

    public required ulong? ServerPosition { get; init; }

    public required DateTimeOffset? RecoverableUntil { get; init; }

    public required DateTimeOffset? ConfirmedAt { get; init; }

    public required int Gaps { get; init; }

    public required string? SnapshotNeeded { get; init; }

    public required string? LastError { get; init; }

    public required int Restarts { get; init; }
}

internal sealed record JobStatus
{
    public required string Name { get; init; }

    public required string Source { get; init; }

    public required JobKind Kind { get; init; }

    public required string? Schedule { get; init; }

    public required DateTimeOffset? NextRun { get; init; }

    public required DateTimeOffset? RunningSince { get; init; }

    public required string? Progress { get; init; }

    /// <summary>The longest time between two firings of the schedule; null without one.</summary>
    public required double? ExpectedIntervalSeconds { get; init; }

    public required DateTimeOffset? LastSuccess { get; init; }

    public required double? LastDurationSeconds { get; init; }

    /// <summary>Since the repository began; null until its journal was read.</summary>
    public required long? Failures { get; init; }

    public required string? LastError { get; init; }

    /// <summary>The last runs, of this process and those before it, newest first.</summary>
    public required IReadOnlyList<JournalRun> Runs { get; init; }
}
