using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Commands;

/// <summary>What <c>check --json</c> prints.</summary>
internal sealed record CheckDocument(CheckVerdict Verdict, IReadOnlyList<CheckDocument.Finding> Findings)
{
    internal sealed record Finding(string Source, string Subject, CheckVerdict Verdict, string Message);
}

/// <summary>One sealed backup.</summary>
internal sealed record BackupSummary(string Source, string Id, DateTimeOffset Began, DateTimeOffset Ended, long ContentBytes, long StoredBytes, int Objects)
{
    /// <summary><c>sealed</c>: it exists whole; <c>verified</c>: it was read back and was sound; <c>drilled</c>: a drill restored it and
    /// a server ran on it.</summary>
    public string State => DrilledAt is not null ? "drilled" : VerifiedAt is null ? "sealed" : "verified";

    /// <summary>When a drill last restored it and found it as it should be.</summary>
    public DateTimeOffset? DrilledAt { get; init; }

    /// <summary>When it was last read back and found sound.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>No policy removes it until it is released.</summary>
    public bool Held { get; init; }

    /// <summary>When the source was last found unchanged since; null when it never was.</summary>
    public DateTimeOffset? UnchangedAt { get; init; }

    /// <summary>What of the source is not in it although it should be: the backup is partial.</summary>
    public IReadOnlyList<string> Omissions { get; init; } = [];

    /// <summary>The id of the backup that it builds upon, without which it cannot be restored; null for one that stands by itself.</summary>
    public string? Parent { get; init; }

    /// <summary>Why retention keeps it; null where no policy was asked.</summary>
    public IReadOnlyList<string>? Kept { get; init; }

    public static BackupSummary Of(SealedBackup backup) => new(
        backup.Manifest.Source,
        backup.Id.ToString(),
        backup.Manifest.Began,
        backup.Manifest.Ended,
        backup.ContentBytes,
        backup.StoredBytes,
        backup.Manifest.Objects.Count)
    {
        VerifiedAt = backup.VerifiedAt,
        Held = backup.IsHeld,
        UnchangedAt = backup.UnchangedAt,
        Omissions = backup.Omissions,
        Parent = backup.Parent,
    };
}

/// <summary>What <c>backup --json</c> prints.</summary>
internal sealed record BackupDocument(IReadOnlyList<BackupSummary> Backups, IReadOnlyList<BackupDocument.Failed> Failures)
{
    internal sealed record Failed(string Source, string Message);
}

/// <summary>What <c>list --json</c> prints.</summary>
internal sealed record ListDocument(IReadOnlyList<ListDocument.Listing> Sources, IReadOnlyList<RecoveryMark> Marks)
{
    public static Listing Of(SourceListing listing, IReadOnlyDictionary<(string Source, string Backup), DateTimeOffset>? drilled = null) => new(
        listing.Source,
        [.. listing.Backups.Select(backup => BackupSummary.Of(backup) with
        {
            Kept = listing.Kept?.GetValueOrDefault(backup.Id.ToString()),
            DrilledAt = drilled is not null && drilled.TryGetValue((listing.Source, backup.Id.ToString()), out var at) ? at : null,
        })],
        listing.Damaged.ToDictionary(damaged => damaged.Id.ToString(), damaged => damaged.Reason),
        listing.Log);

    /// <param name="Damaged">Ids of backups that cannot be restored, each with the reason.</param>
    internal sealed record Listing(string Source, IReadOnlyList<BackupSummary> Backups, IReadOnlyDictionary<string, string> Damaged, LogListing? Log);
}

/// <summary>What <c>verify --json</c> prints.</summary>
internal sealed record VerifyDocument(bool Clean, IReadOnlyList<VerifyReport> Sources);

/// <summary>What <c>restore --json</c> prints, with <c>--plan</c> and without.</summary>
internal sealed record RestoreDocument
{
    public required string Source { get; init; }

    public required string BackupId { get; init; }

    public required string Target { get; init; }

    public required DateTimeOffset? RecoversTo { get; init; }

    public required long StoredBytes { get; init; }

    public required long ContentBytes { get; init; }

    public required double EstimateSeconds { get; init; }

    public required IReadOnlyList<string> Steps { get; init; }

    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>False for a plan, and when anything could not be restored.</summary>
    public required bool Restored { get; init; }

    /// <summary>What the restore took; null for a plan.</summary>
    public required double? ElapsedSeconds { get; init; }

    /// <summary>What the restore has to say.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>What could not be restored, and why.</summary>
    public required IReadOnlyList<string> NotRestored { get; init; }

    public static RestoreDocument Of(RestorePlan plan, RestoreOutcome? outcome, TimeSpan? elapsed) => new()
    {
        Source = plan.Source,
        BackupId = plan.BackupId,
        Target = plan.Target,
        RecoversTo = plan.RecoversTo,
        StoredBytes = plan.StoredBytes,
        ContentBytes = plan.ContentBytes,
        EstimateSeconds = plan.Estimate.TotalSeconds,
        Steps = plan.Steps,
        Warnings = plan.Warnings,
        Restored = outcome?.NotRestored.Count == 0,
        ElapsedSeconds = elapsed?.TotalSeconds,
        Notes = outcome?.Notes ?? [],
        NotRestored = outcome?.NotRestored ?? [],
    };
}

/// <summary>What <c>version --json</c> prints.</summary>
internal sealed record VersionDocument(string Version, string Runtime);
