namespace NLDS.BackupAgent.Storage;

/// <summary>Where the objects are.</summary>
public enum StorageProvider
{
    /// <summary>A directory of a local or mounted file system.</summary>
    Directory,

    /// <summary>A bucket of Amazon S3 or of any store that speaks its protocol.</summary>
    S3,
}
