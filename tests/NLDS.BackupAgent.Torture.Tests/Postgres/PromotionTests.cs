using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Torture.Tests.Postgres;

public sealed class PromotionTests
{
    /// <summary>Whoever waits for the promotion with a query has a snapshot that the replay may have to cancel first.</summary>
    [Fact]
    public async Task A_standby_that_has_removals_to_replay_is_promoted_although_somebody_waits_for_it()
    {
        await using var primary = await PostgresServer.StartAsync(new PostgresServerOptions { ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off", ["autovacuum"] = "off" } });
        await primary.ExecuteAsync("CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS entry");
        await using var standby = await primary.CreateStandbyAsync();
        await standby.ExecuteAsync("ALTER SYSTEM SET max_standby_streaming_delay = 0");
        await standby.ExecuteAsync("ALTER SYSTEM SET max_standby_archive_delay = 0");
        await standby.ExecuteAsync("SELECT pg_reload_conf(), pg_wal_replay_pause()");
        await Eventually.TrueAsync(() => standby.ScalarAsync<bool>("SELECT pg_get_wal_replay_pause_state() = 'paused'"), "the replay pauses");
        await primary.ExecuteAsync("DELETE FROM ledger");
        await primary.ExecuteAsync("VACUUM ledger");
        var end = await primary.ScalarAsync<string>("SELECT pg_current_wal_flush_lsn()::text");
        await Eventually.TrueAsync(() => standby.ScalarAsync<bool>($"SELECT pg_last_wal_receive_lsn() >= '{end}'"), "the standby has the removals");
        await primary.KillAsync();

        await standby.PromoteAsync();

        (await standby.ScalarAsync<bool>("SELECT pg_is_in_recovery()")).ShouldBeFalse();
        (await standby.ScalarAsync<long>("SELECT count(*) FROM ledger")).ShouldBe(0);
    }
}
