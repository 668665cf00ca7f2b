using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Tests.Scenarios;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

/// <summary>A drill in the double's scratch namespace, whose pods are real servers that do what their workloads say.</summary>
public sealed class KubernetesDrillTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_comes_back_in_a_namespace_of_its_own_is_proved_and_gone()
    {
        await using var bench = await StartAsync(("Drill:Checks:0:Name", "behind"), ("Drill:Checks:0:Question", "SELECT count(*) FROM ledger"), ("Drill:Checks:0:AtMostBehind", "0"));
        var before = Versions(bench);
        var wasSuspended = false;
        var hadIngress = true;

        var report = await DrillAsync(bench, phase =>
        {
            if (phase == "clean up")
            {
                wasSuspended = bench.Cluster.Find("cronjobs.batch", ServiceBench.Scratch, "nightly-catalogue")!["spec"]!["suspend"]!.GetValue<bool>();
                hadIngress = bench.Cluster.List("ingresses.networking.k8s.io", ServiceBench.Scratch).Count > 0;
            }
        });

        report.Findings.ShouldBeEmpty(bench.Told.ToString());
        report.Sources[0].Proofs.Single(proof => proof.What == "left out").Words.ShouldContain("it would lead requests for the original to the copy: ingresses.networking.k8s.io/nlds-api.");
        (report.Verdict, report.Mode).ShouldBe((DrillVerdict.Passed, DrillMode.Kubernetes));
        report.Sources.Select(source => source.Source).ShouldBe(["kubernetes", "postgres", "redis"]);
        report.Sources[0].Phases.Select(phase => phase.Name).ShouldBe(
            ["choose and prove", "make the namespace", "make the objects", "make the servers", "check the data", "make the rest", "wait for the applications"]);
        report.Sources[1].Phases.Select(phase => phase.Name).ShouldBe(["restore postgres", "wait for postgres", "meet", "prove", "load test"]);
        report.RecoveryTimeSeconds.ShouldNotBeNull().ShouldBe(report.Sources.SelectMany(source => source.Phases).Where(phase => phase.IsRecovery).Sum(phase => phase.Seconds), 0.001);
        report.RecoveryPointSeconds.ShouldNotBeNull();
        report.Sources[1].Proofs.Select(proof => (proof.What, proof.Verdict)).ShouldContain(("recovery", ProofVerdict.Proven));
        report.Sources[1].Proofs.Select(proof => (proof.What, proof.Verdict)).ShouldContain(("closed off", ProofVerdict.Proven));
        report.Sources[1].Proofs.Single(proof => proof.What == "behind").Words.ShouldContain("10 in the copy, 10 in the original");
        report.Sources[2].Proofs.Single(proof => proof.What == "recovery").Words.ShouldContain("It was restored");
        report.Sources.Skip(1).ShouldAllBe(source => source.Load!.Requests > 10);
        (wasSuspended, hadIngress).ShouldBe((true, false));
        bench.PostgresCopy.Bootstraps.ShouldBe([BootstrapAction.Restore]);
        await NothingIsLeftAsync(bench);
        Versions(bench).ShouldBe(before);
    }

    [Fact]
    public async Task The_repository_gets_the_report_and_nothing_else()
    {
        await using var bench = await StartAsync();
        await using (var services = bench.Open("operator"))
        {
            // Meant for the original, whose next start it waits for.
            await services.GetRequiredService<StandingRequests>().RequestAsync((IDirectorySource)ServiceBench.SourceOf(services, "postgres"), new RestoreRequest(), "somebody", Token);
        }

        await bench.Postgres.StopAsync();
        await bench.Redis.StopAsync();
        var before = Stored();

        var report = await DrillAsync(bench);

        report.Verdict.ShouldBe(DrillVerdict.Passed, string.Join(' ', report.Findings));
        Stored().Except(before).Select(stored => stored.Split(' ')[0]).Where(key => !key.StartsWith("drill/lease/", StringComparison.Ordinal))
            .ShouldBe([$"reports/dr-drill/{report.Id}/report.html", $"reports/dr-drill/{report.Id}/report.json"]);
        before.Except(Stored()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_foreign_namespace_of_that_name_is_left_alone()
    {
        await using var bench = await StartAsync();
        bench.Cluster.Add("namespaces", new() { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = ServiceBench.Scratch, ["uid"] = "7" } });
        var calls = bench.Cluster.Calls.Count;

        (await Should.ThrowAsync<SourceException>(() => DrillAsync(bench))).Message.ShouldContain("no drill has made");

        bench.Cluster.Calls.Skip(calls).ShouldAllBe(call => call.Method == "GET");
        bench.Cluster.Find("namespaces", null, ServiceBench.Scratch).ShouldNotBeNull();
        (await ReportsAsync(bench)).ShouldBeEmpty();
    }

    /// <summary>Killed behind the beginning of each phase, and before it could clean up.</summary>
    [Fact]
    public async Task What_a_killed_drill_left_the_next_one_removes()
    {
        await using var bench = await StartAsync();
        foreach (var phase in (string[])["make the objects", "restore postgres", "wait for redis", "make the rest", "load test"])
        {
            await Should.ThrowAsync<KilledException>(() => DrillAsync(bench, reached => _ = reached == phase || reached == "clean up" ? throw new KilledException() : 0));

            bench.Cluster.Find("namespaces", null, ServiceBench.Scratch).ShouldNotBeNull(phase);
        }

        var report = await DrillAsync(bench);

        report.Verdict.ShouldBe(DrillVerdict.Passed, string.Join(' ', report.Findings));
        await NothingIsLeftAsync(bench);
        (await ReportsAsync(bench)).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Wrong_answers_of_a_copy_fail_the_drill_and_it_is_cleaned_up()
    {
        await using var bench = await StartAsync(
            ("Drill:Checks:0:Name", "ledger"), ("Drill:Checks:0:Question", "SELECT count(*) FROM ledger"), ("Drill:Checks:0:AtLeast", "1000"), ("Drill:LoadTest:Enabled", "false"));

        var report = await DrillAsync(bench);

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Findings.ShouldHaveSingleItem().ShouldContain("at least 1000");
        report.RecoveryTimeSeconds.ShouldNotBeNull();
        await NothingIsLeftAsync(bench);
    }

    [Fact]
    public async Task Wrong_answers_in_the_runbook_break_the_drill_off_before_the_applications()
    {
        await using var bench = await StartAsync(("Recovery:Checks:Questions:0:AtLeast", "1000"));
        var applications = -1;

        var report = await DrillAsync(bench, phase => applications = phase == "clean up" ? bench.Cluster.List("deployments.apps", ServiceBench.Scratch).Count : applications);

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Sources[0].Failure.ShouldNotBeNull().ShouldContain("'check the data' failed");
        report.Sources[0].IsDamage.ShouldBeTrue();
        report.Sources.Skip(1).ShouldAllBe(source => source.Failure != null && source.RecoveryTimeSeconds == null);
        DrillHistory.Proven([report]).ShouldBeEmpty();
        applications.ShouldBe(0);
        await NothingIsLeftAsync(bench);
    }

    [Fact]
    public async Task A_server_that_nothing_fills_is_no_restored_one()
    {
        await using var bench = await StartAsync(("Recovery:Checks:Questions:0:Question", "SELECT 1"));
        bench.Cluster.Change("statefulsets.apps", ServiceBench.Namespace, "postgres", set => set["spec"]!["template"]!["spec"]!["initContainers"]!.AsArray().RemoveAt(0));
        await bench.BackUpAsync("kubernetes");

        var report = await DrillAsync(bench);

        // It may be met before the role of the backups is in it, or behind that.
        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Findings.ShouldContain(finding => finding.StartsWith("postgres", StringComparison.Ordinal));
        await NothingIsLeftAsync(bench);
    }

    [Fact]
    public async Task What_holds_the_namespace_is_named_and_fails_the_drill()
    {
        await using var bench = await StartAsync(("Drill:Kubernetes:CleanUpTime", "00:00:02"), ("Drill:LoadTest:Enabled", "false"));

        var report = await DrillAsync(bench, phase =>
        {
            if (phase == "make the rest")
            {
                bench.Cluster.Change("configmaps", ServiceBench.Scratch, "nlds-api-config", map => map["metadata"]!["finalizers"] = new JsonArray("example.org/never"));
            }
        });

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Findings.ShouldHaveSingleItem().ShouldContain("example.org/never");
        (await Should.ThrowAsync<SourceException>(() => DrillAsync(bench))).Message.ShouldContain("is in the way");
    }

    /// <summary>The store is not where the restored configuration says, which only the pod can tell.</summary>
    [Fact]
    public async Task A_pod_that_cannot_be_filled_fails_the_drill_with_its_words()
    {
        await using var bench = await StartAsync(("Drill:Timeout", "00:00:30"));
        bench.Cluster.Change("statefulsets.apps", ServiceBench.Namespace, "postgres", set => set["spec"]!["template"]!["spec"]!["initContainers"]![0]!["env"] = JsonNode.Parse(
            $$"""[{ "name": "Storage__Directory__Path", "value": "{{directory["elsewhere"]}}" }]"""));
        await bench.BackUpAsync("kubernetes");

        var report = await DrillAsync(bench);

        report.Verdict.ShouldBe(DrillVerdict.Failed);
        report.Sources[1].Failure.ShouldNotBeNull().ShouldContain("'restore postgres' took longer than 00:00:15 (Drill:Timeout)");
        report.Sources[1].Proofs.Single(proof => proof.What == "last words").Words.ShouldContain("CrashLoopBackOff");
        await NothingIsLeftAsync(bench);
    }

    [Fact]
    public async Task A_drill_that_is_stopped_cleans_up_and_reports_nothing()
    {
        await using var bench = await StartAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => DrillAsync(bench, phase => _ = phase == "wait for postgres" ? throw new OperationCanceledException() : 0));

        await NothingIsLeftAsync(bench);
        (await ReportsAsync(bench)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_drills_do_not_delete_each_others_namespace()
    {
        await using var bench = await StartAsync();
        SourceException? second = null;

        var report = await DrillAsync(bench, phase => second ??= phase == "make the servers" ? Should.Throw<SourceException>(() => DrillAsync(bench)) : null);

        second.ShouldNotBeNull().Message.ShouldContain("Somebody drills already");
        report.Verdict.ShouldBe(DrillVerdict.Passed, string.Join(' ', report.Findings));
    }

    [Fact]
    public async Task The_original_is_no_place_for_a_drill()
    {
        await using var bench = await StartAsync(("Drill:Kubernetes:Namespace", ServiceBench.Namespace));
        var before = Versions(bench);

        (await Should.ThrowAsync<UsageException>(() => DrillAsync(bench))).Message.ShouldContain("in use");

        Versions(bench).ShouldBe(before);
    }

    public void Dispose() => directory.Dispose();

    /// <summary>With ten entries, all of them durable, and the workloads as they ship.</summary>
    private async Task<ServiceBench> StartAsync(params (string Key, string Value)[] more)
    {
        var bench = await ServiceBench.StartAsync(
        [
            ("Storage:Provider", "Directory"), ("Storage:Directory:Path", directory["store"]), ("Drill:LoadTest:Duration", "00:00:01"), ("Drill:LoadTest:Clients", "2"),
            ("Drill:LoadTest:Percentile95", "00:00:30"), ("Drill:RecoveryPoint", "1.00:00:00"), ("Drill:Timeout", "00:03:00"), .. more,
        ]);
        foreach (var server in (string[])["postgres", "redis"])
        {
            bench.Cluster.Change("statefulsets.apps", ServiceBench.Namespace, server, PodTemplate.Ship);
        }

        await bench.Postgres.AppendAsync(1, 10);
        await bench.Redis.WriteAsync("SET kept yes");
        await bench.BackUpAsync("kubernetes");
        return bench;
    }

    private static async Task<DrillReport> DrillAsync(ServiceBench bench, Action<string>? reached = null)
    {
        await using var services = bench.Open("drill");
        var drill = services.GetRequiredService<KubernetesDrill>();
        drill.Reached = reached ?? (_ => { });
        return (await drill.RunAsync([.. services.GetServices<ISnapshotSource>()], line => bench.Told.AppendLine(line), new Progress<TransferProgress>(), Token)).Report;
    }

    private static async Task<IReadOnlyList<DrillReport>> ReportsAsync(ServiceBench bench)
    {
        await using var services = bench.Open("reader");
        return await services.GetRequiredService<DrillReports>().ReadAsync(Token);
    }

    private static async Task NothingIsLeftAsync(ServiceBench bench)
    {
        bench.Cluster.Find("namespaces", null, ServiceBench.Scratch).ShouldBeNull();
        bench.Cluster.Resources(ServiceBench.Scratch).ShouldBeEmpty();
        await Eventually.TrueAsync(() => !bench.PostgresCopy.Runs && !bench.RedisCopy.Runs, "the copies have ended");
    }

    /// <summary>Every object outside of the scratch namespace, at its version.</summary>
    private static List<string> Versions(ServiceBench bench) =>
    [
        .. ((string?[])[ServiceBench.Namespace, null]).SelectMany(ns => bench.Cluster.Resources(ns).SelectMany(resource => bench.Cluster.List(resource, ns)
            .Where(value => value["metadata"]!["namespace"]?.GetValue<string>() != ServiceBench.Scratch)
            .Select(value => $"{resource}/{value["metadata"]!["name"]} {value["metadata"]!["resourceVersion"]}"))).Distinct(),
    ];

    /// <summary>Every object of the store, with what is in it.</summary>
    private List<string> Stored() =>
    [
        .. Directory.EnumerateFiles(directory["store"], "*", SearchOption.AllDirectories)
            .Select(path => $"{Path.GetRelativePath(directory["store"], path)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))}").Order(StringComparer.Ordinal),
    ];

    private sealed class KilledException : Exception;
}
