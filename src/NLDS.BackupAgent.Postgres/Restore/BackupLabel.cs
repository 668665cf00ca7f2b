namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary><c>backup_label</c>, which tells a server where to begin its recovery.</summary>
internal static class BackupLabel
{
    public const string FileName = "backup_label";

    /// <summary>
    /// Without the two lines that say what an incremental backup builds upon: a server that finds them refuses to start, because its files might still be in parts.
    /// What is put together is a full backup (pg_combinebackup, <c>backup_label.c</c>, does the same).
    /// </summary>
    public static string OfWhole(string label) =>
        string.Join('\n', label.Split('\n').Where(line => !line.StartsWith("INCREMENTAL FROM ", StringComparison.Ordinal)));
}
