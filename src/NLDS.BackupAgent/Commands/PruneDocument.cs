using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Commands;

/// <summary>What <c>prune --json</c> prints, with <c>--plan</c> and without.</summary>
internal sealed record PruneDocument(IReadOnlyList<PruneDocument.Source> Sources)
{
    /// <param name="Policy">In words.</param>
    /// <param name="Unsealed">Running sessions, and what dead ones left.</param>
    /// <param name="FreedBytes">What the plan frees.</param>
    /// <param name="Refusals">Why nothing may be removed.</param>
    /// <param name="Pruned">False for a plan, and when it was refused.</param>
    /// <param name="RemovedBackups">Null when nothing was tried.</param>
    /// <param name="Left">What was to be removed and is still there, with the reasons.</param>
    internal sealed record Source(
        string Name,
        string Policy,
        IReadOnlyList<Backup> Backups,
        IReadOnlyList<Backup> Unsealed,
        IReadOnlyList<LogPlanStretch> Log,
        DateTimeOffset? RestorableFrom,
        long FreedBytes,
        IReadOnlyList<string> Warnings,
        IReadOnlyList<string> Refusals,
        bool Pruned,
        int? RemovedBackups,
        int? RemovedObjects,
        IReadOnlyList<string> Left)
    {
        public static Source Of(PrunePlan plan, PruneReport? report) => new(
            plan.Source,
            plan.Policy.ToString(),
            [.. plan.Backups.Select(b => new Backup(
                b.Backup.Id.ToString(), b.Decision.IsKept, b.Decision.IsKept ? b.Decision.KeptBecause : [b.Decision.GoesBecause!], b.StoredBytes, b.IsVerified))],
            [.. plan.Unsealed.Select(u => new Backup(u.Id.ToString(), !u.Goes, [u.Because], u.StoredBytes, Verified: false))],
            [.. plan.Log?.Stretches ?? []],
            plan.Log?.RestorableFrom,
            plan.FreedBytes,
            plan.Warnings,
            plan.Refusals,
            report is not null,
            report?.Backups,
            report?.Objects,
            report?.Left ?? []);
    }

    /// <param name="Because">Why it is kept, or why it goes.</param>
    internal sealed record Backup(string Id, bool Kept, IReadOnlyList<string> Because, long StoredBytes, bool Verified);
}
