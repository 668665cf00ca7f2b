namespace NLDS.BackupAgent.Redis.Backup;

/// <summary>How a base was taken, as its manifest says it.</summary>
internal static class BaseMethod
{
    /// <summary>The copy that a replica gets.</summary>
    public const string Replication = "replication";

    /// <summary>BGSAVE, and the file that it made.</summary>
    public const string BackgroundSave = "bgsave";

    /// <summary>Key by key; no single moment.</summary>
    public const string Scan = "scan";
}
