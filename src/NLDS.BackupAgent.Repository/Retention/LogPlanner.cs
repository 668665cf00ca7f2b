using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Says what goes of a source's log. Reads only.</summary>
internal static class LogPlanner
{
    /// <summary>What goes of the log when the given backups stay.</summary>
    public static async Task<(LogPlan? Plan, IReadOnlyList<string> Remarks)> PlanAsync(
        IRetainedSource source, PrunePlan decided, IReadOnlyList<PlannedBackup> staying, CancellationToken cancellationToken)
    {
        if (decided.Damaged.Count > 0)
        {
            return (null, [$"No log of {source.Name} is removed while a manifest cannot be read: nobody knows what that backup needs."]);
        }

        if (staying.Count == 0 || await source.FindLogNeedsAsync([.. staying.Select(b => b.Backup)], Since(decided), cancellationToken) is not { } needs)
        {
            return (null, []);
        }

        var superfluous = needs.Superfluous();
        var plan = new LogPlan
        {
            Archive = needs.Archive,
            Superfluous = superfluous,
            Pieces = [.. needs.Inventory.Pieces.Where(p => superfluous.Any(s => s.Contains(p.Lineage, p.Range.Start, p.Range.End)))],
            RestorableFrom = needs.RestorableFrom,
        };
        return (plan, needs.Remarks);
    }

    /// <summary>
    /// From here on the log is kept whole: for the recovery window, and for a session that is still at work, whose start in the log only it knows. Counted back
    /// from the newest backup; see <see cref="RetentionDecisions"/>.
    /// </summary>
    private static DateTimeOffset Since(PrunePlan plan)
    {
        var newest = plan.Backups.LastOrDefault(b => b.Backup.Id.Began <= plan.Now)?.Backup.Id.Began ?? DateTimeOffset.MinValue;
        var window = RetentionDecisions.Before(newest, plan.Policy.RecoveryWindow);
        return plan.Unsealed.Select(u => u.MayRunSince).OfType<DateTimeOffset>().Append(window).Min();
    }
}
