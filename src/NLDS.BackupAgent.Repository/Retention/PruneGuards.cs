namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>When nothing may be removed, whatever the policy says. Pure.</summary>
internal static class PruneGuards
{
    /// <summary>Sentences that say why not and what to do; empty when a prune may go on.</summary>
    public static IEnumerable<string> Refusals(PrunePlan plan, RetentionOptions options, bool allowLarge)
    {
        if (plan.Policy.IsEmpty)
        {
            yield return $"The retention policy of {plan.Source} would keep nothing but the newest backup. Set KeepDaily, KeepWeekly, KeepMonthly, KeepLast or "
                + "KeepWithin in the section Retention.";
        }

        var going = plan.Going.Count();
        if (going == 0 && plan.Log is not { Stretches.Count: > 0 })
        {
            yield break;
        }

        var newest = plan.Backups.LastOrDefault(b => b.Backup.Id.Began <= plan.Now);
        if (newest is not null && plan.Now - newest.Backup.CurrentAt is var age && age > options.MaxNewestAge)
        {
            yield return $"The newest backup of {plan.Source} ended {RetentionPolicy.Words(Whole(age))} ago, longer than Retention:MaxNewestAge "
                + $"({RetentionPolicy.Words(options.MaxNewestAge)}): its backups do not run. Nothing is removed before one succeeds. Run 'backup {plan.Source}' and see why.";
        }

        // A policy that was mistyped, or a clock that jumped, shows itself like this.
        if (!allowLarge && going * 2 > plan.Backups.Count)
        {
            yield return $"{going} of {plan.Backups.Count} backups of {plan.Source} would be removed, more than half. Look at 'prune {plan.Source} --plan'; if that is "
                + $"what you want, run 'prune {plan.Source} --allow-large'.";
        }
    }

    private static TimeSpan Whole(TimeSpan age) => age > TimeSpan.FromDays(1) ? TimeSpan.FromDays(age.Days) : TimeSpan.FromMinutes((long)age.TotalMinutes);
}
