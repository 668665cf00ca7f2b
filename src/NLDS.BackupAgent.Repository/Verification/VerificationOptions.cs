using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>Section <c>Verification</c>: when the agent reads back what it has stored.</summary>
public sealed class VerificationOptions : IValidatableObject
{
    public const string Section = "Verification";

    /// <summary>A Quartz cron expression, made to be daily; blank for never. New backups are then not verified by themselves either.</summary>
    public string Schedule { get; set; } = "0 0 5 * * ?";

    /// <summary>IANA name of the schedule's time zone.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary>How old a proof may become before what it tells of is read again.</summary>
    public TimeSpan FullEvery { get; set; } = TimeSpan.FromDays(30);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (FullEvery < TimeSpan.FromDays(1) || FullEvery > TimeSpan.FromDays(3650))
        {
            yield return new ValidationResult($"Verification:FullEvery is {FullEvery}. Write 1.00:00:00 (a day) to 3650.00:00:00.");
        }
    }
}
