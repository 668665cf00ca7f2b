using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Section <c>Retention</c>: how much of every source is kept, and when nothing may be removed.</summary>
public sealed class RetentionOptions : RetentionRules
{
    public const string Section = "Retention";

    /// <summary>What a backup that was never finished has left is removed after this. Longer than any backup takes: a younger one may still be at work.</summary>
    public TimeSpan SweepAfter { get; set; } = TimeSpan.FromDays(3);

    /// <summary>When the newest backup is older, the schedule is broken, and nothing is removed until somebody has looked.</summary>
    public TimeSpan MaxNewestAge { get; set; } = TimeSpan.FromDays(7);

    /// <summary>A scheduled run stops after this; the next one goes on.</summary>
    public TimeSpan LongestRun { get; set; } = TimeSpan.FromHours(1);

    public override IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var fault in base.Validate(validationContext))
        {
            yield return fault;
        }

        // Below an hour a backup of any size would be swept while it is being taken.
        foreach (var (name, time, least) in new[]
        {
            (nameof(SweepAfter), SweepAfter, TimeSpan.FromHours(1)),
            (nameof(MaxNewestAge), MaxNewestAge, TimeSpan.FromHours(1)),
            (nameof(LongestRun), LongestRun, TimeSpan.FromMinutes(1)),
        })
        {
            if (time < least || time > TimeSpan.FromDays(3_650))
            {
                yield return new ValidationResult($"is {time}. Write {least} or more, for example 3.00:00:00 for three days.", [name]);
            }
        }
    }
}
