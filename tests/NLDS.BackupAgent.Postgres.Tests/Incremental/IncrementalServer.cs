using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>Servers that know what changed, and agents that make use of it.</summary>
internal static class IncrementalServer
{
    public static Task<PostgresServer> StartAsync(int major, params (string Name, string Value)[] settings)
    {
        var extra = new Dictionary<string, string>
        {
            ["fsync"] = "off", ["autovacuum"] = "off", ["wal_keep_size"] = "1GB", ["track_commit_timestamp"] = "on",
        };
        if (major >= 17)
        {
            extra["summarize_wal"] = "on";
        }

        foreach (var (name, value) in settings)
        {
            extra[name] = value;
        }

        return PostgresServer.StartAsync(new PostgresServerOptions { Major = major, WalSegmentMegabytes = 1, DataChecksums = true, ExtraSettings = extra });
    }

    /// <param name="fullEvery">So many backups from one full one to the next.</param>
    /// <param name="key">Of an encrypted repository.</param>
    public static Agent AgentFor(PostgresServer server, IObjectStore store, int fullEvery = 7, CollectedLog? log = null, string? key = null) => Agent.For(
        server, store, new Dictionary<string, string?> { ["Postgres:FullBackup:FullEvery"] = $"{fullEvery}", ["Repository:Encryption:Key"] = key }, log: log);
}
