using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Recovery;

/// <summary>Section <c>Recovery</c>: what to do on a bad day.</summary>
public sealed class RecoveryOptions : IValidatableObject
{
    public const string Section = "Recovery";

    /// <summary>How many data directories that were moved aside may lie beside a data directory, 1 to 10. A further requested restore is refused, lest retries fill the disk.</summary>
    public int KeepAside { get; set; } = 2;

    /// <summary>
    /// When a restore would take longer than Drill:RecoveryTime, a backup is taken before its time, so that less log has to be replayed; so often a day at most, 0 to 24.
    /// </summary>
    public int EarlyBackupsPerDay { get; set; } = 4;

    /// <summary>When all sources are marked together.</summary>
    public MarkOptions Mark { get; set; } = new();

    public sealed class MarkOptions
    {
        /// <summary>A Quartz cron expression; empty for never by itself.</summary>
        public string Schedule { get; set; } = "";

        /// <summary>IANA name of the schedule's time zone.</summary>
        public string TimeZone { get; set; } = "UTC";

        /// <summary>The schedule's own marks are forgotten after this time; those that somebody made stay.</summary>
        public TimeSpan Keep { get; set; } = TimeSpan.FromDays(7);
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (KeepAside is < 1 or > 10)
        {
            yield return new ValidationResult($"Recovery:KeepAside is {KeepAside}. Write 1 to 10.");
        }

        if (EarlyBackupsPerDay is < 0 or > 24)
        {
            yield return new ValidationResult($"Recovery:EarlyBackupsPerDay is {EarlyBackupsPerDay}. Write 0 to 24.");
        }

        if (Mark.Keep < TimeSpan.FromHours(1) || Mark.Keep > TimeSpan.FromDays(3660))
        {
            yield return new ValidationResult($"Recovery:Mark:Keep is {Mark.Keep}. Write 01:00:00 to 3660.00:00:00.");
        }
    }
}
