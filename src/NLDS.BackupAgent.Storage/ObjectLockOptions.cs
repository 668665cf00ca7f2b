namespace NLDS.BackupAgent.Storage;

/// <summary>The section <c>Storage:S3:ObjectLock</c>: sealed objects cannot be deleted for a time, whoever has the credentials.</summary>
public sealed class ObjectLockOptions
{
    /// <summary>A hundred years, which is S3's own limit.</summary>
    private const int MaximumDays = 36_500;

    public RetentionMode Mode { get; set; } = RetentionMode.None;

    /// <summary>Counted from the moment at which an object is put.</summary>
    public int? RetainDays { get; set; }

    internal IEnumerable<string> Faults()
    {
        if (!Enum.IsDefined(Mode))
        {
            yield return $"Storage:S3:ObjectLock:Mode is {Mode}. Set it to None, Governance or Compliance.";
        }
        else if (Mode == RetentionMode.None && RetainDays is not null)
        {
            yield return "Storage:S3:ObjectLock:RetainDays is set, but nothing is locked. Set Storage:S3:ObjectLock:Mode to Governance or Compliance, or remove it.";
        }
        else if (Mode != RetentionMode.None && RetainDays is not (>= 1 and <= MaximumDays))
        {
            yield return RetainDays is null
                ? $"Storage:S3:ObjectLock:RetainDays is not set. Set the days for which nobody can delete a sealed object, 1 to {MaximumDays}."
                : $"Storage:S3:ObjectLock:RetainDays is {RetainDays}. Set 1 to {MaximumDays}.";
        }
    }
}
