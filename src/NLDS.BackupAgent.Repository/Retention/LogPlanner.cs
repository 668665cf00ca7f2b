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

        if (staying.Count == 0 || await source.FindLogNeedsAsync([.. staying.Select(b => b.Backup)], decided.WholeLogSince, cancellationToken) is not { } needs)
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
}
