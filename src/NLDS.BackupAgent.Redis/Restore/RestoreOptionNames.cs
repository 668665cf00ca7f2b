namespace NLDS.BackupAgent.Redis.Restore;

internal static class RestoreOptionNames
{
    public const string RedisServer = "redis-server";
    public const string AppendOnly = "appendonly";
}
