using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary>
/// A database that dies while it is written to. Small in the suite; with <c>RECOVER_BASE_MB=2048 RECOVER_WAL_MB=1024 scripts/test Recovery</c> it is a measurement, whose
/// figures are in the output of this test.
/// </summary>
public sealed class DatabaseLoadTests(ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_that_was_acknowledged_six_seconds_before_the_death_is_lost()
    {
        using var directory = new TemporaryDirectory();
        await using var bench = await ServiceBench.OpenAsync(("Storage:Provider", "Directory"), ("Storage:Directory:Path", directory["store"]));
        var (baseMegabytes, walMegabytes) = (Size("RECOVER_BASE_MB", 16), Size("RECOVER_WAL_MB", 8));
        await FillAsync(bench.Postgres.Server, "base_data", baseMegabytes);
        await bench.BackUpAsync("postgres");
        await FillAsync(bench.Postgres.Server, "later_data", walMegabytes);

        // Acknowledged entries with the moments of their acknowledgement, until the server dies under the writer.
        var acknowledged = new ConcurrentQueue<(int Entry, DateTimeOffset At)>();
        var writing = WriteAsync(bench.Postgres.Server.ConnectionString, acknowledged);
        await Eventually.TrueAsync(() => acknowledged.Count >= 500, "it writes");
        await bench.Postgres.DestroyAsync();
        var died = TimeProvider.System.GetUtcNow();
        await writing;

        var report = await bench.RecoverAsync("database");

        var there = (await bench.Postgres.ReadAsync()).Count;
        var lost = acknowledged.Where(one => one.Entry > there).ToList();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"base {baseMegabytes} MB, WAL {walMegabytes} MB: recovery time {report.RecoveryTimeSeconds:F1} s"));
        foreach (var phase in report.Phases)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{phase.Name,-24} {phase.Seconds,7:F2} s, foretold {phase.EstimateSeconds:F0} s: {phase.Words}"));
        }

        output.WriteLine($"{acknowledged.Count} acknowledged, {there} there, {lost.Count} lost{(lost.Count > 0 ? $", the oldest {(died - lost[0].At).TotalSeconds:F2} s before the death" : "")}");
        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        lost.ShouldAllBe(one => died - one.At < TimeSpan.FromSeconds(6));
        (await bench.Postgres.ReadAsync()).Last.ShouldBe((int)there, "an entry is missing in the middle");
    }

    private static int Size(string name, int otherwise) => Environment.GetEnvironmentVariable(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>About three to one, as real data are.</summary>
    private static async Task FillAsync(PostgresServer server, string table, int megabytes)
    {
        await server.ExecuteAsync($"CREATE TABLE {table} (id bigint, entry text)");
        const int rowsPerMegabyte = 4000;
        for (var done = 0; done < megabytes; done += 64)
        {
            var rows = Math.Min(64, megabytes - done) * rowsPerMegabyte;
            await server.ExecuteAsync($"INSERT INTO {table} SELECT i, md5(i::text) || repeat('lorem ipsum dolor sit amet ', 5) || md5(random()::text) FROM generate_series(1, {rows}) i");
        }
    }

    private static async Task WriteAsync(string server, ConcurrentQueue<(int Entry, DateTimeOffset At)> acknowledged)
    {
        try
        {
            await using var connection = new NpgsqlConnection(server);
            await connection.OpenAsync(Token);
            for (var entry = 1; ; entry++)
            {
                await using var command = new NpgsqlCommand($"INSERT INTO ledger VALUES ({entry})", connection);
                await command.ExecuteNonQueryAsync(Token);
                acknowledged.Enqueue((entry, TimeProvider.System.GetUtcNow()));
            }
        }
        catch (NpgsqlException)
        {
            // The server died.
        }
    }
}
