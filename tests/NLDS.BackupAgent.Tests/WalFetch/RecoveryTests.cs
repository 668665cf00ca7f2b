using System.Diagnostics;
using System.Globalization;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.WalFetch;

/// <summary>Recoveries of a real server whose only source of WAL is the built program, started by the server itself.</summary>
public sealed class RecoveryTests(KilledServer killed) : IClassFixture<KilledServer>, IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly string spool = Path.Combine(killed.Spools, Guid.NewGuid().ToString("n"));

    private string Fetch => $"{killed.Command} wal-fetch --spool {spool} %f %p";

    private string Asked => Path.Combine(killed.Spools, $"{Path.GetFileName(spool)}.asked");

    /// <summary>As long as this file is there, the server waits for the end of its first command.</summary>
    private string Hold => Path.Combine(killed.Spools, $"{Path.GetFileName(spool)}.hold");

    public void Dispose()
    {
        File.Delete(Hold);
        directory.Dispose();
    }

    [Fact]
    public async Task Every_row_is_there_when_each_segment_is_fetched_by_the_program()
    {
        await killed.RestoreAsync(directory["data"], Fetch);
        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);

        await ShouldHaveAllAsync(server);
        (await File.ReadAllTextAsync(Path.Combine(spool, "recovery"))).ShouldContain(directory["data"]);
    }

    [Fact]
    public async Task Most_segments_need_no_process_when_mv_comes_first()
    {
        await killed.RestoreAsync(directory["data"], $"mv {spool}/%f %p 2>/dev/null || (echo %f >>{Asked}; exec {Fetch})");
        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);

        await ShouldHaveAllAsync(server);
        var restored = server.ReadLog().Split("restored log file").Length - 1;
        restored.ShouldBeGreaterThan(20);
        (await File.ReadAllLinesAsync(Asked)).Length.ShouldBeLessThan(restored / 2, server.ReadLog());
    }

    [Fact]
    public async Task A_reader_is_free_of_the_server_and_ends_with_the_servers_directory()
    {
        await killed.RestoreAsync(directory["data"], Held(Fetch));
        var starting = PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        var reader = await ReaderAsync();

        // proc(5): after the name in parentheses come the state, the parent, the process group and the session.
        await Eventually.TrueAsync(
            () => File.ReadAllText($"/proc/{reader}/stat") is var stat && stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3] == $"{reader}",
            "the reader has a session of its own");
        foreach (var descriptor in Enumerable.Range(0, 3))
        {
            new FileInfo($"/proc/{reader}/fd/{descriptor}").LinkTarget.ShouldNotBeNull().ShouldStartWith("pipe:");
        }

        File.Delete(Hold);
        await using (var server = await starting)
        {
            await ShouldHaveAllAsync(server);
        }

        Directory.Delete(directory["data"], recursive: true);
        await Eventually.TrueAsync(() => Readers().Count == 0, "the reader has ended");
        Directory.GetFiles(spool).Select(Path.GetFileName).ShouldBe(["lock", "read-ahead.log", "recovery"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_reader_that_is_killed_midway_costs_nothing_but_time()
    {
        await killed.RestoreAsync(directory["data"], Held(Fetch));
        var starting = PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        var reader = await ReaderAsync();
        await Eventually.TrueAsync(() => Directory.GetFiles(spool).Any(path => Path.GetFileName(path).StartsWith("00000001", StringComparison.Ordinal)), "something is read ahead");
        Process.GetProcessById(reader).Kill();
        File.Delete(Hold);

        await using var server = await starting;
        await ShouldHaveAllAsync(server);
    }

    [Fact]
    public async Task A_damaged_segment_never_reaches_the_spool_and_the_server_stops_there_until_it_is_repaired()
    {
        var segments = Directory.GetFiles(Path.Combine(killed.Store, "postgres/wal")).Where(path => path.Contains(".zst", StringComparison.Ordinal)).Order().ToList();
        var damaged = segments[segments.Count / 2];
        var whole = await File.ReadAllBytesAsync(damaged);
        var flipped = whole.ToArray();
        flipped[flipped.Length / 2] ^= 1;
        await killed.RestoreAsync(directory["data"], Fetch);
        await OverwriteAsync(damaged, flipped);
        try
        {
            var refusal = await Should.ThrowAsync<InvalidOperationException>(() => PostgresServer.StartOnDirectoryAsync(directory["data"], 15));

            refusal.Message.ShouldContain($"could not restore file \"{Path.GetFileNameWithoutExtension(damaged)}\" from archive: child process exited with exit code 255");
            refusal.Message.ShouldNotContain("selected new timeline");
            Directory.GetFiles(spool).ShouldNotContain(path => Path.GetFileName(path).CompareTo(Path.GetFileNameWithoutExtension(damaged)) == 0);
        }
        finally
        {
            await OverwriteAsync(damaged, whole);
        }

        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        await ShouldHaveAllAsync(server);
    }

    private string Held(string command)
    {
        File.WriteAllText(Hold, "");
        return $"{command}; code=$?; while [ -e {Hold} ]; do sleep 0.05; done; exit $code";
    }

    private static async Task ShouldHaveAllAsync(PostgresServer server)
    {
        await Eventually.TrueAsync(() => server.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the server promotes", details: server.ReadLog);
        (await server.ScalarAsync<long>("SELECT count(*) FROM ledger")).ShouldBe(KilledServer.Rows);
        (await server.ScalarAsync<long>("SELECT sum(entry) FROM ledger")).ShouldBe((long)KilledServer.Rows * (KilledServer.Rows + 1) / 2);
    }

    private static async Task OverwriteAsync(string path, byte[] content)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
        await file.WriteAsync(content);
    }

    private async Task<int> ReaderAsync()
    {
        await Eventually.TrueAsync(() => Readers().Count > 0, "a reader runs");
        return Readers().First();
    }

    private List<int> Readers() =>
    [
        .. from process in Directory.EnumerateDirectories("/proc")
           where int.TryParse(Path.GetFileName(process), out _)
           let words = CommandLineOf(process)
           where words.Contains("wal-read-ahead") && words.Contains(spool)
           select int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture),
    ];

    private static string[] CommandLineOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Split('\0');
        }
        catch (IOException)
        {
            return []; // it has ended meanwhile
        }
    }
}
