namespace NLDS.BackupAgent.Storage;

/// <summary>What a writer says of an object's future, because a store knows no names.</summary>
public enum Protection
{
    /// <summary>It may be removed or replaced as soon as something better holds its content.</summary>
    None,

    /// <summary>
    /// It is final: retention alone removes it. Where <c>Storage:S3:ObjectLock</c> is set the store itself refuses to remove it for that time,
    /// whoever asks; everywhere else this changes nothing.
    /// </summary>
    Locked,
}
