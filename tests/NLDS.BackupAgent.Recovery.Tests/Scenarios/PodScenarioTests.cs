using System.Net;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary><c>recover pod</c>: what it tells of a pod that failed, and when it says that it is back.</summary>
public sealed class PodScenarioTests
{
    [Fact]
    public async Task A_server_that_is_killed_is_watched_until_its_pod_is_ready_and_it_answers()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);

        var report = await bench.RecoverAsync("pod", new Dictionary<string, string> { ["pod"] = "postgres-0", ["replace"] = "true" });

        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        report.Phases.Select(phase => phase.Name).ShouldBe(["replace the pod", "wait for the pod", "wait for postgres"]);
        report.RecoveryPointSeconds.ShouldBe(0);
        (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
    }

    [Fact]
    public async Task The_one_pod_that_is_not_ready_is_found_and_why_is_told()
    {
        await using var bench = await ServiceBench.StartAsync();
        var name = Crash(bench, 0);

        var plan = await bench.PlanAsync("pod");

        plan.NeedsConsent.ShouldBeFalse();
        plan.Lines.ShouldContain(line => line.StartsWith($"{name}: Running", StringComparison.Ordinal) && line.Contains("api waiting: CrashLoopBackOff after 3 restarts", StringComparison.Ordinal));
        plan.Lines.ShouldContain("  api had ended with 137 (OOMKilled)");
        plan.Lines.ShouldContain("  api said: out of memory");

        var recovering = bench.RecoverAsync("pod");
        await Eventually.TrueAsync(() => bench.Told.ToString().Contains("CrashLoopBackOff", StringComparison.Ordinal), "it watches");
        recovering.IsCompleted.ShouldBeFalse();
        bench.Cluster.Change("pods", ServiceBench.Namespace, name, ServiceBench.Ready);

        var report = await recovering;
        report.Verdict.ShouldBe(RecoveryVerdict.Recovered);
        report.Phases[^1].Words.ShouldContain("s after it failed");
    }

    [Fact]
    public async Task A_pod_that_does_not_come_back_in_time_is_told_with_its_last_words_and_can_be_gone_on_with()
    {
        await using var bench = await ServiceBench.StartAsync(("Recovery:Timeouts:Restart", "00:00:01"));
        Crash(bench, 0);

        var failure = await Should.ThrowAsync<SourceException>(() => bench.RecoverAsync("pod"));

        failure.Message.ShouldContain("Recovery:Timeouts:Restart");
        bench.Told.ToString().ShouldContain("  api said: out of memory");
        (await bench.PlanAsync("pod")).Continues.ShouldNotBeNull();
    }

    [Fact]
    public async Task Of_several_that_are_not_ready_one_must_be_named_and_of_none_too()
    {
        await using var bench = await ServiceBench.StartAsync();
        (await Should.ThrowAsync<UsageException>(() => bench.PlanAsync("pod"))).Message.ShouldContain("are ready");
        var (first, second) = (Crash(bench, 0), Crash(bench, 1));

        var refusal = await Should.ThrowAsync<UsageException>(() => bench.PlanAsync("pod"));

        refusal.Message.ShouldContain(first);
        refusal.Message.ShouldContain(second);
        (await Should.ThrowAsync<UsageException>(() => bench.PlanAsync("pod", new Dictionary<string, string> { ["pod"] = "nobody" }))).Message.ShouldContain("'nobody'");
    }

    [Fact]
    public async Task A_service_that_answers_with_an_error_is_not_back()
    {
        var port = FreePorts.Take(1)[0];
        using var service = new HttpListener { Prefixes = { $"http://127.0.0.1:{port}/" } };
        service.Start();
        await using var bench = await ServiceBench.StartAsync(("Recovery:Checks:Urls:0", $"http://127.0.0.1:{port}/health"));

        var recovering = bench.RecoverAsync("pod", new Dictionary<string, string> { ["pod"] = "postgres-0", ["replace"] = "true" });
        await AnswerAsync(503);
        await AnswerAsync(200);

        var report = await recovering;
        report.Phases[^1].Name.ShouldBe("ask the service");
        bench.Told.ToString().ShouldContain("answered 503");

        async Task AnswerAsync(int status)
        {
            var asked = await service.GetContextAsync();
            asked.Response.StatusCode = status;
            asked.Response.Close();
        }
    }

    [Fact]
    public async Task A_pod_that_a_rollout_has_taken_out_is_not_waited_for()
    {
        await using var bench = await ServiceBench.StartAsync();
        var name = Crash(bench, 0);
        bench.Cluster.Change("replicasets.apps", ServiceBench.Namespace, name[..name.LastIndexOf('-')], set => set["spec"]!["replicas"] = 0);

        var report = await bench.RecoverAsync("pod");

        report.Verdict.ShouldBe(RecoveryVerdict.RecoveredInPart);
        report.Findings.ShouldHaveSingleItem().ShouldContain("rollout");
    }

    private static string Crash(ServiceBench bench, int which)
    {
        var name = bench.Cluster.List("pods", ServiceBench.Namespace)
            .Where(pod => pod["metadata"]!["labels"]?["app"]?.GetValue<string>() == "nlds-api").ElementAt(which)["metadata"]!["name"]!.GetValue<string>();
        bench.Cluster.Logs[$"{ServiceBench.Namespace}/{name}"] = "out of memory\n";
        bench.Cluster.Change("pods", ServiceBench.Namespace, name, pod => pod["status"] = JsonNode.Parse("""
            {
              "phase": "Running",
              "conditions": [{ "type": "Ready", "status": "False", "lastTransitionTime": "2026-11-29T03:00:00Z" }],
              "containerStatuses": [{
                "name": "api", "ready": false, "restartCount": 3, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } }
              }]
            }
            """));
        return name;
    }
}
