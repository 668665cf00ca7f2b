using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// How much is kept, as the configuration says it: section <c>Retention</c> for all sources, <c>SOURCE:Retention</c> for one. A key that is not set is taken
/// from the section <c>Retention</c>, then from the source's own default.
/// </summary>
public class RetentionRules : IValidatableObject
{
    /// <summary>A window or an age beyond this is a slip of the pen, and would overflow the calendar when it is taken from a date.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36_500);

    /// <summary>So many of the newest backups; -1 for all.</summary>
    public int? KeepLast { get; set; }

    /// <summary>All backups this much older than the newest one, at most.</summary>
    public TimeSpan? KeepWithin { get; set; }

    /// <summary>The last backup of so many days (UTC) that have one; -1 for all days.</summary>
    public int? KeepDaily { get; set; }

    /// <summary>The last backup of so many ISO weeks.</summary>
    public int? KeepWeekly { get; set; }

    /// <summary>The last backup of so many months.</summary>
    public int? KeepMonthly { get; set; }

    /// <summary>The log is kept whole for so long before the newest backup: every moment in it can be restored. Before that only moments of backups can.</summary>
    public TimeSpan? RecoveryWindow { get; set; }

    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, count) in new[]
        {
            (nameof(KeepLast), KeepLast), (nameof(KeepDaily), KeepDaily), (nameof(KeepWeekly), KeepWeekly), (nameof(KeepMonthly), KeepMonthly),
        })
        {
            if (count < RetentionPolicy.All)
            {
                yield return new ValidationResult($"is {count}. Write how many to keep, 0 for none or -1 for all.", [name]);
            }
        }

        foreach (var (name, window) in new[] { (nameof(KeepWithin), KeepWithin), (nameof(RecoveryWindow), RecoveryWindow) })
        {
            if (window < TimeSpan.Zero || window > Longest)
            {
                yield return new ValidationResult($"is {window}. Write days and hours, for example 7.00:00:00 for seven days, or 00:00:00 for none.", [name]);
            }
        }
    }
}
