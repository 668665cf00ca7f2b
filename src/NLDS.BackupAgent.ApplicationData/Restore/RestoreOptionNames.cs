namespace NLDS.BackupAgent.ApplicationData.Restore;

internal static class RestoreOptionNames
{
    public const string Only = "only";
    public const string KeepTtl = "keep-ttl";
}
