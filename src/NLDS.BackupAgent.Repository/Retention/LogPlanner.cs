using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Says what goes of a source's log when the given backups stay. Reads only.</summary>
internal static class LogPlanner
{
    public static async Task<(LogPlan? Plan, IReadOnlyList<string> Remarks)> PlanAsync(
        IRetainedSource source, PrunePlan decided, IReadOnlyList<PlannedBackup> staying, CancellationToken cancellationToken)
    {
        if (decided.Damaged.Count > 0)
        {
            return (null, [$"No log of {source.Name} is removed while a manifest cannot be read: nobody knows what that backup needs."]);
        }

        return await FindNeedsAsync(source, decided, staying, cancellationToken) is { } needs
            ? (new LogPlan { Stretches = [.. Superfluous(needs).Stretches()], RestorableFrom = needs.RestorableFrom }, needs.Remarks)
            : (null, []);
    }

    /// <returns>Null when nothing may go.</returns>
    public static async Task<SuperfluousLog?> FindSuperfluousAsync(
        IRetainedSource source, PrunePlan decided, IReadOnlyList<PlannedBackup> staying, CancellationToken cancellationToken) =>
        decided.Damaged.Count == 0 && await FindNeedsAsync(source, decided, staying, cancellationToken) is { } needs ? Superfluous(needs) : null;

    private static async Task<LogNeeds?> FindNeedsAsync(
        IRetainedSource source, PrunePlan decided, IReadOnlyList<PlannedBackup> staying, CancellationToken cancellationToken) =>
        staying.Count == 0 ? null : await source.FindLogNeedsAsync([.. staying.Select(b => b.Backup)], decided.WholeLogSince, cancellationToken);

    private static SuperfluousLog Superfluous(LogNeeds needs)
    {
        var sections = needs.Superfluous();
        return new(needs.Archive, sections, [.. needs.Inventory.Pieces.Where(p => sections.Any(s => s.Contains(p.Lineage, p.Range.Start, p.Range.End)))]);
    }
}
