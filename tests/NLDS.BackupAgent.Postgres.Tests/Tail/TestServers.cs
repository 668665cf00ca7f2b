using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

internal static class TestServers
{
    /// <summary>A server with small segments that loses nothing that a test wants to compare, and does not wait for disks.</summary>
    public static Task<PostgresServer> StartAsync(int major = 15, int segmentMegabytes = 1, params (string Name, string Value)[] settings)
    {
        var extra = new Dictionary<string, string> { ["fsync"] = "off", ["wal_keep_size"] = "1GB", ["autovacuum"] = "off" };
        foreach (var (name, value) in settings)
        {
            extra[name] = value;
        }

        return PostgresServer.StartAsync(new PostgresServerOptions { Major = major, WalSegmentMegabytes = segmentMegabytes, ExtraSettings = extra });
    }

    public static string WalDirectory(this PostgresServer server) => Path.Combine(server.DataDirectory, "pg_wal");

    public static async Task<Lsn> WalEndAsync(this PostgresServer server) =>
        Lsn.Parse(await server.ScalarAsync<string>("SELECT pg_current_wal_flush_lsn()::text"));

    /// <summary>Some WAL, flushed. Random, so that it takes the space that it should.</summary>
    public static async Task<Lsn> WriteAsync(this PostgresServer server, int kilobytes = 10)
    {
        await server.ExecuteAsync(
            "CREATE TABLE IF NOT EXISTS written (payload text); "
            + $"INSERT INTO written SELECT string_agg(md5(random()::text), '') FROM generate_series(1, {kilobytes * 32}) g GROUP BY g / 32");
        return await server.WalEndAsync();
    }

    public static Task<string?> SlotPositionAsync(this PostgresServer server, string slot = "nlds_backup") =>
        server.ScalarAsync<string?>($"SELECT (SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = '{slot}')");
}
