namespace NLDS.BackupAgent.Postgres.Restore;

internal static class RestoreOptionNames
{
    public const string Tablespace = "tablespace";
}
