using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Recovery;

/// <summary>Section <c>Recovery</c>: what to do on a bad day.</summary>
public sealed class RecoveryOptions : IValidatableObject
{
    public const string Section = "Recovery";

    /// <summary>How many data directories that were moved aside may lie beside a data directory, 1 to 10. A further requested restore is refused, lest retries fill the disk.</summary>
    public int KeepAside { get; set; } = 2;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (KeepAside is < 1 or > 10)
        {
            yield return new ValidationResult($"Recovery:KeepAside is {KeepAside}. Write 1 to 10.");
        }
    }
}
