namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>How a server of the backed-up version keeps its append-only file.</summary>
internal enum AofLayout
{
    /// <summary>Before 7.0: one file, an RDB file and the commands behind it. Newer servers take it over when they start.</summary>
    SingleFile,

    /// <summary>From 7.0 on: <c>appendonlydir</c> with a base, the commands, and a manifest that names both.</summary>
    MultiPart,
}
