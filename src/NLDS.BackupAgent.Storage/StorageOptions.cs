using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Storage;

/// <summary>The section <c>Storage</c>: where the backups are kept.</summary>
public sealed class StorageOptions : IValidatableObject
{
    public const string Section = "Storage";

    public StorageProvider Provider { get; set; } = StorageProvider.Directory;

    /// <summary>Nothing is written: a process that only restores, such as a copy's, cannot change the original's backups.</summary>
    public bool ReadOnly { get; set; }

    public DirectoryOptions Directory { get; set; } = new();

    public S3Options S3 { get; set; } = new();

    public RetryOptions Retry { get; set; } = new();

    public LimitsOptions Limits { get; set; } = new();

    /// <summary>All that is wrong with these settings, each a sentence that names its key and says what to do. Only the chosen provider is asked.</summary>
    public IEnumerable<string> Faults() =>
        (Provider switch
        {
            StorageProvider.Directory => Directory.Faults(),
            StorageProvider.S3 => S3.Faults(),
            _ => [$"Storage:Provider is {Provider}. Set it to Directory or S3."],
        })
        .Concat(Retry.Faults())
        .Concat(Limits.Faults());

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => Faults().Select(fault => new ValidationResult(fault));
}
