using System.Text.Json;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Deployment.Tests.Alerts;

/// <summary>
/// The real agent beside a real server, watched by a real Prometheus and Alertmanager with the shipped rules. An hour lasts half a minute: every duration of the
/// rules is divided by the same number, and nothing else is changed.
/// </summary>
public sealed class EndToEndTests
{
    private const int Divisor = 120;

    /// <summary>What the drills export; they run once a month, and a test has no month.</summary>
    private const string Drill = """
        dr_drill_last_success_timestamp 1
        dr_drill_recovery_time_seconds 141
        dr_drill_recovery_point_seconds 6

        """;

    [Fact]
    public async Task A_healthy_agent_is_silent_and_a_lost_server_is_told_and_told_to_be_over()
    {
        using var store = new TemporaryDirectory();
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off", ["max_slot_wal_keep_size"] = "1GB" },
        });
        var port = FreePorts.Take(1)[0];
        await using var agent = ServerProcess.Start(
            Path.Combine(AppContext.BaseDirectory, "NLDS.BackupAgent"),
            ["run"],
            new Dictionary<string, string>
            {
                ["Agent__Urls"] = $"http://127.0.0.1:{port}",
                ["Storage__Provider"] = "Directory",
                ["Storage__Directory__Path"] = store.Path,
                ["Postgres__Host"] = "127.0.0.1",
                ["Postgres__Port"] = $"{server.Port}",
                ["Postgres__Username"] = PostgresServer.BackupRole,
                ["Postgres__Password"] = PostgresServer.BackupPassword,
                ["Postgres__Wal__FlushInterval"] = "00:00:00.5",
                ["Postgres__FullBackup__Schedule"] = "0/10 * * * * ?",
            });
        await using var watchers = await Watchers.StartAsync(
            ShippedRules.Scaled(Divisor), $"127.0.0.1:{port}", Drill.Replace("timestamp 1", $"timestamp {TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()}", StringComparison.Ordinal));

        // Healthy: longer than both rules wait, with backups and a log.
        await Eventually.TrueAsync(
            async () => (await watchers.QueryAsync("count_over_time(backup_last_success_timestamp[5m]) > 60")).Count > 0, "half a minute was scraped", TimeSpan.FromMinutes(3));
        (await watchers.QueryAsync("max_over_time(ALERTS{alertname=~\"BackupFailed|BackupDelayed|BackupDamaged\"}[5m])")).ShouldBeEmpty();
        await EveryQueryOfTheDashboardGivesDataAsync(watchers);

        // The server is gone: its backups fail, and its log stands still.
        await server.StopAsync();
        await watchers.IsToldAsync("BackupFailed", "firing");
        await watchers.IsToldAsync("BackupDelayed", "firing");

        await server.StartAgainAsync();
        await watchers.IsToldAsync("BackupDelayed", "resolved");
        await watchers.IsToldAsync("BackupFailed", "resolved");
    }

    private static async Task EveryQueryOfTheDashboardGivesDataAsync(Watchers watchers)
    {
        using var dashboard = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "k8s/base/dashboard.json")));
        var queries = dashboard.RootElement.GetProperty("panels").EnumerateArray()
            .Where(panel => panel.TryGetProperty("targets", out _))
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray().Select(target => target.GetProperty("expr").GetString()!))
            .Select(query => query.Replace("$namespace", "nlds", StringComparison.Ordinal).Replace("$__rate_interval", "30s", StringComparison.Ordinal))
            .ToList();

        queries.Count.ShouldBeGreaterThan(12);
        foreach (var query in queries)
        {
            await Eventually.TrueAsync(async () => (await watchers.QueryAsync(query)).Count > 0, $"the dashboard's {query} gives data");
        }
    }
}
