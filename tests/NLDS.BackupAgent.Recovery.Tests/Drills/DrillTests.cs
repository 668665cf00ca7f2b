using System.Diagnostics;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Tests.Bootstrap;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

/// <summary>A drill of a cluster that is gone, with this machine's own PostgreSQL.</summary>
public sealed class DrillTests(ProtectedCluster cluster) : IClassFixture<ProtectedCluster>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_drill_restores_starts_proves_loads_reports_and_leaves_nothing()
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        var before = await KeysAsync(store);
        await using var bench = new DrillBench(
            store,
            directory.Path,
            1,
            ("Drill:Checks:0:Name", "ledger"),
            ("Drill:Checks:0:Question", "SELECT count(*) FROM ledger"),
            ("Drill:Checks:0:AtLeast", $"{ProtectedCluster.Rows}"));

        var report = await bench.RunAsync();

        report.Findings.ShouldBeEmpty();
        report.Verdict.ShouldBe(DrillVerdict.Passed);
        var postgres = report.Sources.ShouldHaveSingleItem();
        postgres.Phases.Select(phase => phase.Name).ShouldBe(["choose and prove", "restore", "start and replay", "prove", "load test", "stop"]);
        postgres.RecoveryTimeSeconds.ShouldNotBeNull().ShouldBe(postgres.Phases.Take(3).Sum(phase => phase.Seconds));
        report.RecoveryPointSeconds.ShouldNotBeNull().ShouldBeGreaterThan(0);
        postgres.Load.ShouldNotBeNull().Requests.ShouldBeGreaterThan(10);
        postgres.Proofs.Select(proof => (proof.What, proof.Verdict)).ShouldBe(
        [
            ("recovery", ProofVerdict.Proven), ("collation versions", ProofVerdict.Proven), ("heaps and B-trees", ProofVerdict.Proven), ("ledger", ProofVerdict.Proven),
            ("data checksums", ProofVerdict.NotLooked),
        ]);
        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();
        NoneWorksIn(directory.Path);

        // The repository has what it had, and the report.
        (await KeysAsync(store)).Except(before).ShouldBe([$"reports/dr-drill/{report.Id}/report.html", $"reports/dr-drill/{report.Id}/report.json"]);
        (await bench.Reports.ReadAsync(Token)).ShouldHaveSingleItem().Id.ShouldBe(report.Id);
    }

    [Fact]
    public async Task A_copy_that_lacks_what_it_must_have_fails_the_drill_and_says_so()
    {
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(
            cluster.Store(),
            directory.Path,
            1,
            ("Drill:LoadTest:Enabled", "false"),
            ("Drill:Checks:0:Name", "ledger"),
            ("Drill:Checks:0:Question", "SELECT count(*) FROM ledger"),
            ("Drill:Checks:0:AtLeast", $"{ProtectedCluster.Rows + 1}"),
            ("Drill:Checks:1:Name", "sessions"),
            ("Drill:Checks:1:Question", "SELECT count(*) FROM user_sessions"));

        var report = await bench.RunAsync();

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Findings.ShouldContain(finding => finding.Contains("ledger", StringComparison.Ordinal) && finding.Contains("at least 301", StringComparison.Ordinal));
        report.Findings.ShouldContain(finding => finding.Contains("user_sessions", StringComparison.Ordinal));
        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_repository_that_cannot_be_restored_is_a_failed_drill_with_a_report()
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        var log = (await KeysAsync(store)).Where(key => key.StartsWith("postgres/wal/", StringComparison.Ordinal)).ToList();
        log.ShouldNotBeEmpty();
        await store.DeleteAsync([.. log.Select(key => new ObjectKey(key))], Token);
        await using var bench = new DrillBench(store, directory.Path);

        var report = await bench.RunAsync();

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Sources[0].IsDamage.ShouldBeTrue();
        report.RecoveryTimeSeconds.ShouldBeNull();
        (await bench.Reports.ReadAsync(Token)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_objective_that_is_missed_is_no_success()
    {
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(cluster.Store(), directory.Path, 1, ("Drill:RecoveryPoint", "00:00:01"), ("Drill:LoadTest:Enabled", "false"));

        var report = await bench.RunAsync();

        report.Verdict.ShouldBe(DrillVerdict.ObjectiveMissed);
        report.Findings.ShouldHaveSingleItem().ShouldContain("objective is 1 s");
    }

    [Fact]
    public async Task A_random_second_is_drilled_again_and_again()
    {
        const int seed = 20261128;
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(cluster.Store(), directory.Path, 1, ("Drill:LoadTest:Enabled", "false"));
        bench.Runner.Random = new Random(seed);
        for (var i = 0; i < Drills(); i++)
        {
            var report = await bench.RunAsync(new DrillChoice(DrilledBackup.Random, DrilledMoment.Random));

            report.Sources[0].Failure.ShouldBeNull($"seed {seed}, drill {i}, to {report.Sources[0].To}");
            report.Verdict.ShouldBe(DrillVerdict.Passed, string.Join(' ', report.Findings));
        }

        (await bench.Reports.ReadAsync(Token)).Count.ShouldBe(Drills());
    }

    [Theory]
    [InlineData("choose and prove")]
    [InlineData("restore")]
    [InlineData("start and replay")]
    [InlineData("prove")]
    [InlineData("load test")]
    [InlineData("stop")]
    public async Task A_drill_that_breaks_in_any_phase_cleans_up(string phase)
    {
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(cluster.Store(), directory.Path, 1, ("Drill:LoadTest:Duration", "00:00:01"));
        bench.Runner.Reached = (_, reached) =>
        {
            if (reached == phase)
            {
                throw new TimeoutException("broken here");
            }
        };

        var report = await bench.RunAsync();

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Findings.ShouldContain("postgres: broken here");
        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();
        NoneWorksIn(directory.Path);
    }

    [Theory]
    [InlineData("restore")]
    [InlineData("prove")]
    [InlineData("load test")]
    public async Task A_drill_that_is_stopped_cleans_up_and_reports_nothing(string phase)
    {
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(cluster.Store(), directory.Path);
        bench.Runner.Reached = (_, reached) =>
        {
            if (reached == phase)
            {
                throw new OperationCanceledException();
            }
        };

        await Should.ThrowAsync<OperationCanceledException>(() => bench.RunAsync());

        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();
        NoneWorksIn(directory.Path);
        (await bench.Reports.ReadAsync(Token)).ShouldBeEmpty();
    }

    /// <summary>As a drill leaves it that is killed with -9: its directory, its server, and an owner that is gone.</summary>
    [Fact]
    public async Task What_a_killed_drill_left_is_removed_with_its_server()
    {
        using var directory = new TemporaryDirectory();
        var left = directory["nlds-drill-20261123_140317"];
        Directory.CreateDirectory(Path.Combine(left, "redis/data"));
        File.WriteAllText(Path.Combine(left, "owner.json"), await DeadOwnerAsync());
        await using var server = ServerProcess.Start("sh", ["-c", "cd \"$0\" && exec sleep 600", Path.Combine(left, "redis/data")]);
        await Eventually.TrueAsync(() => new FileInfo($"/proc/{server.Id}/cwd").LinkTarget == Path.Combine(left, "redis/data"), "it works there");
        var alive = directory["nlds-drill-20261123_150000"];
        Directory.CreateDirectory(alive);
        File.WriteAllText(Path.Combine(alive, "owner.json"), Owner(Environment.ProcessId, StartOf("self")));
        await using var bench = new DrillBench(cluster.Store(), directory.Path);

        await bench.Runner.SweepAsync();

        await Eventually.TrueAsync(() => server.HasExited, "the server was killed");
        Directory.Exists(left).ShouldBeFalse();
        Directory.Exists(alive).ShouldBeTrue();
    }

    /// <summary>A server that is killed leaves it to the machine, and the name of its lock in its directory.</summary>
    [Fact]
    public async Task A_copy_that_is_not_stopped_gives_back_what_it_shared_in_memory()
    {
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(cluster.Store(), directory.Path);
        var plan = await bench.Postgres.PlanRestoreAsync(new RestoreRequest { TargetDirectory = directory["copy"] }, Token);
        await bench.Postgres.RestoreAsync(plan, new Progress<TransferProgress>(), Token);
        var copy = await bench.Postgres.RehearseAsync(plan, Directory.CreateDirectory(directory["private"]).FullName, Token);
        File.Exists(directory["copy/postmaster.pid"]).ShouldBeTrue();

        await copy.DisposeAsync();
        await copy.DisposeAsync();

        File.Exists(directory["copy/postmaster.pid"]).ShouldBeFalse();
        NoneWorksIn(directory.Path);
    }

    [Fact]
    public async Task The_copy_reaches_nobody_and_knows_nothing_of_the_agent()
    {
        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(
            cluster.Store(),
            directory.Path,
            1,
            ("Drill:LoadTest:Enabled", "false"),
            ("Drill:Checks:0:Name", "settings"),
            ("Drill:Checks:0:Question", "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('listen_addresses', 'archive_mode', 'max_logical_replication_workers', 'primary_conninfo', 'shared_preload_libraries')"));

        var report = await bench.RunAsync();

        report.Sources[0].Proofs.Single(proof => proof.What == "settings").Words
            .ShouldContain("archive_mode=off listen_addresses= max_logical_replication_workers=0 primary_conninfo= shared_preload_libraries=");
    }

    [Fact]
    public async Task A_machine_without_the_server_s_programs_is_said_to_be_in_the_way()
    {
        using var directory = new TemporaryDirectory();
        await using var without = new DrillBench(cluster.Store(), directory.Path, 1, ("Postgres:Programs", directory.Path));
        await using var with = new DrillBench(cluster.Store(), directory.Path);

        (await DrillRunner.FindObstacleAsync([without.Postgres], Token)).ShouldNotBeNull().ShouldContain("There is no PostgreSQL");
        (await DrillRunner.FindObstacleAsync([with.Postgres], Token)).ShouldBeNull();
    }

    private static int Drills() => Environment.GetEnvironmentVariable("NLDS_LONG") == "1" ? 20 : 3;

    private static async Task<string> DeadOwnerAsync()
    {
        using var process = Process.Start(new ProcessStartInfo("sleep", ["60"]))!;
        var owner = Owner(process.Id, StartOf($"{process.Id}"));
        process.Kill();
        await process.WaitForExitAsync(Token);
        return owner;
    }

    private static string Owner(int process, string start) =>
        $$"""{"bootId":"{{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}}","pidNamespace":"{{new FileInfo("/proc/self/ns/pid").LinkTarget}}","processId":{{process}},"startTicks":{{start}}}""";

    private static string StartOf(string process) => File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].Split(' ')[19];

    private static void NoneWorksIn(string directory) =>
        Directory.EnumerateDirectories("/proc")
            .Where(entry => int.TryParse(Path.GetFileName(entry), out _))
            .Select(entry => new FileInfo(Path.Combine(entry, "cwd")))
            .Select(Target)
            .ShouldNotContain(target => target.StartsWith(directory, StringComparison.Ordinal));

    private static string Target(FileInfo link)
    {
        try
        {
            return link.LinkTarget ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static async Task<HashSet<string>> KeysAsync(IObjectStore store)
    {
        HashSet<string> keys = [];
        await foreach (var entry in store.ListAsync("", null, Token))
        {
            keys.Add(entry.Key.Value);
        }

        return keys;
    }
}
