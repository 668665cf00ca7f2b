using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Commands;

/// <summary>A prune as people read it.</summary>
internal static class PrunePrint
{
    public static void Plan(PrunePlan plan, TextWriter output)
    {
        var table = new Table("SOURCE", "BACKUP", "AGE", "STORED", "", "BECAUSE");
        foreach (var backup in plan.Backups)
        {
            table.Add(
                plan.Source,
                backup.Backup.Id.ToString(),
                Sizes.Duration(plan.Now - backup.Backup.Manifest.Ended),
                Sizes.Bytes(backup.StoredBytes),
                backup.Decision.IsKept ? "keep" : "goes",
                backup.Decision.IsKept ? string.Join(", ", backup.Decision.KeptBecause) : backup.Decision.GoesBecause!);
        }

        foreach (var remains in plan.Unsealed)
        {
            table.Add(
                plan.Source, remains.Id.ToString(), Sizes.Duration(plan.Now - remains.Id.Began), Sizes.Bytes(remains.StoredBytes), remains.Goes ? "goes" : "keep", remains.Because);
        }

        if (plan.Backups.Count + plan.Unsealed.Count > 0)
        {
            table.WriteTo(output);
        }

        foreach (var stretch in plan.Log?.Stretches ?? [])
        {
            output.WriteLine(
                $"{plan.Source}: log from {stretch.From} to {stretch.To} on {stretch.Lineage} goes: {stretch.Objects} objects, {Sizes.Bytes(stretch.StoredBytes)}. No backup that is kept needs it.");
        }

        foreach (var warning in plan.Warnings)
        {
            output.WriteLine($"{plan.Source}: {warning}");
        }
    }

    /// <param name="plan">What was printed.</param>
    /// <param name="report">What was done; null for a plan, and for a prune that was refused.</param>
    /// <param name="output">Where to.</param>
    public static void Outcome(PrunePlan plan, PruneReport? report, TextWriter output)
    {
        var kept = plan.Backups.Count(b => b.Decision.IsKept);
        var policy = $"{plan.Source}: {kept} of {plan.Backups.Count} backups are kept ({plan.Policy})";
        if (report is null)
        {
            output.WriteLine($"{policy}, {plan.Backups.Count - kept} would go; that frees {Sizes.Bytes(plan.FreedBytes)}. Nothing was removed.");
            foreach (var refusal in plan.Refusals)
            {
                output.WriteLine($"Without --plan this is refused: {refusal}");
            }
        }
        else
        {
            output.WriteLine($"{policy}. Removed {report.Backups} backups, {report.Objects} objects in all.");
            foreach (var left in report.Left)
            {
                output.WriteLine($"{plan.Source}: still there: {left}.");
            }
        }

        if (plan.Log?.RestorableFrom is { } from)
        {
            output.WriteLine($"{plan.Source}: every moment since {Sizes.Time(from)} {(report is null ? "stays" : "is")} restorable; before that, the moments of the kept backups.");
        }
    }
}
