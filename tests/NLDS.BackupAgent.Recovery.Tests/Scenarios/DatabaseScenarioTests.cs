using System.Text.Json.Nodes;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary><c>recover database</c> on real servers, whose pods a double of a kubelet runs.</summary>
public sealed class DatabaseScenarioTests
{
    private static readonly string[] Steps =
        ["stop the applications", "request postgres", "restart postgres", "restore postgres", "wait for postgres", "check the data", "start the applications"];

    [Fact]
    public async Task A_lost_database_comes_back_with_every_durable_row_and_the_applications_as_they_were()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 500);
        await bench.Postgres.DestroyAsync();

        var report = await bench.RecoverAsync("database");

        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        report.Phases.Select(phase => phase.Name).ShouldBe(Steps);
        (await bench.Postgres.ReadAsync()).ShouldBe((500, 500));
        bench.Replicas("deployments/nlds-api").ShouldBe(2);
        bench.Postgres.Bootstraps.ShouldBe([BootstrapAction.LetInitialise, BootstrapAction.CarryOutRequest]);
        bench.Told.ToString().ShouldContain("entries: 500");

        // And it is protected from there on.
        await bench.Postgres.AppendAsync(501, 600);
    }

    [Theory]
    [InlineData("did ")]
    [InlineData("wrote ")]
    public async Task A_recovery_that_is_killed_at_every_step_comes_to_the_same_end_and_restores_once(string killedWhen)
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 500);
        await bench.Postgres.DestroyAsync();
        await Should.ThrowAsync<KilledException>(() => bench.RecoverAsync("database", reached: place => Kill(place == "begun")));
        foreach (var step in Steps)
        {
            await Should.ThrowAsync<KilledException>(() => bench.RecoverAsync("database", reached: place => Kill(place == killedWhen + step)));
        }

        var report = await bench.RecoverAsync("database");

        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        report.Phases.Select(phase => phase.Name).ShouldBe(Steps);
        (await bench.Postgres.ReadAsync()).ShouldBe((500, 500));
        bench.Replicas("deployments/nlds-api").ShouldBe(2);
        bench.Postgres.Bootstraps.Count(action => action == BootstrapAction.CarryOutRequest).ShouldBe(1);
    }

    [Fact]
    public async Task A_plan_changes_nothing_and_names_what_takes_something_away()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        var before = bench.Cluster.Revision;

        var plan = await bench.PlanAsync("database");

        plan.Steps.Select(step => step.Name).ShouldBe(Steps);
        plan.Steps.Where(step => step.IsDestructive).Select(step => step.Name).ShouldBe(["stop the applications", "request postgres", "restart postgres"]);
        plan.NeedsConsent.ShouldBeTrue();
        plan.Lines.ShouldContain(line => line.StartsWith("postgres: backup ", StringComparison.Ordinal));
        bench.Cluster.Revision.ShouldBe(before);
        (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
    }

    [Fact]
    public async Task Data_that_fail_a_question_stop_the_recovery_before_anybody_uses_them_and_undo_starts_the_applications()
    {
        await using var bench = await ServiceBench.StartAsync(("Recovery:Checks:Questions:0:AtLeast", "1000"));
        await bench.Postgres.AppendAsync(1, 10);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.RecoverAsync("database"))).Message.ShouldContain("at least 1000 is asked");
        bench.Replicas("deployments/nlds-api").ShouldBe(0);
        (await Should.ThrowAsync<UsageException>(() => bench.RecoverAsync("database", new Dictionary<string, string> { ["to"] = "0/1" }))).Message.ShouldContain("--undo");

        var report = await bench.UndoAsync("database");

        report.Verdict.ShouldBe(RecoveryVerdict.GivenUp);
        report.Findings.ShouldContain(finding => finding.StartsWith("postgres stays restored", StringComparison.Ordinal));
        bench.Replicas("deployments/nlds-api").ShouldBe(2);
    }

    [Fact]
    public async Task A_recovery_that_is_given_up_before_the_restore_leaves_the_data_as_they_were()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        await Should.ThrowAsync<KilledException>(() => bench.RecoverAsync("database", reached: place => Kill(place == "did request postgres")));
        await bench.Postgres.AppendAsync(11, 20);

        await bench.UndoAsync("database");

        bench.Replicas("deployments/nlds-api").ShouldBe(2);
        (await bench.Postgres.ReadAsync()).ShouldBe((20, 20));
        await bench.PlanAsync("database");
    }

    [Fact]
    public async Task A_recovery_that_is_given_up_while_the_data_are_restored_brings_them_back_as_they_were()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        bench.Postgres.HoldsAt = "moved";
        await Should.ThrowAsync<KilledException>(() => bench.RecoverAsync("database", reached: place => Kill(place == "did restart postgres")));
        bench.Postgres.HoldsAt = null;

        await bench.UndoAsync("database");

        await bench.UntilReadyAsync();
        bench.Postgres.Bootstraps.ShouldBe([BootstrapAction.LetInitialise, BootstrapAction.PutDataBack]);
        (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
        bench.Replicas("deployments/nlds-api").ShouldBe(2);
    }

    [Fact]
    public async Task Two_never_recover_at_once()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        using var gate = new ManualResetEventSlim();
        var first = Task.Run(() => bench.RecoverAsync("database", reached: place => _ = place == "did stop the applications" && gate.Wait(TimeSpan.FromMinutes(1))), TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => bench.Replicas("deployments/nlds-api") == 0, "the first has begun");

        var refusal = await Should.ThrowAsync<SourceException>(() => bench.RecoverAsync("database", process: new ProcessIdentity("elsewhere", "pid:[1]", 7, 1)));

        refusal.Message.ShouldContain("recovers already");
        gate.Set();
        (await first).Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        bench.Postgres.Bootstraps.Count(action => action == BootstrapAction.CarryOutRequest).ShouldBe(1);
    }

    [Fact]
    public async Task An_application_whose_pods_cannot_be_told_is_refused_before_anything_stops()
    {
        await using var bench = await ServiceBench.StartAsync();
        bench.Cluster.Change("deployments.apps", ServiceBench.Namespace, "nlds-api", value => value["spec"]!["selector"] = JsonNode.Parse(
            """{ "matchExpressions": [{ "key": "app", "operator": "In", "values": ["nlds-api"] }] }"""));

        (await Should.ThrowAsync<SourceException>(() => bench.RecoverAsync("database"))).Message.ShouldContain("deployments/nlds-api");

        bench.Replicas("deployments/nlds-api").ShouldBe(2);
    }

    [Fact]
    public async Task A_server_with_several_pods_is_refused_before_anything_stops()
    {
        await using var bench = await ServiceBench.StartAsync();
        bench.Cluster.Change("statefulsets.apps", ServiceBench.Namespace, "postgres", value => value["spec"]!["replicas"] = 3);

        (await Should.ThrowAsync<UsageException>(() => bench.RecoverAsync("database"))).Message.ShouldContain("Scale it to 1 first");

        bench.Replicas("deployments/nlds-api").ShouldBe(2);
    }

    [Fact]
    public async Task Both_servers_go_back_to_one_moment()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        var moment = TimeProvider.System.GetUtcNow();
        await bench.Postgres.AppendAsync(11, 20);

        var report = await bench.RecoverAsync("database", new Dictionary<string, string> { ["source"] = "postgres,redis", ["to"] = moment.ToString("O", System.Globalization.CultureInfo.InvariantCulture) });

        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        report.RecoveryPointSeconds.ShouldBeNull();
        (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
        bench.Redis.Bootstraps.ShouldBe([BootstrapAction.LetInitialise, BootstrapAction.CarryOutRequest]);
    }

    private static void Kill(bool now) => _ = now ? throw new KilledException() : 0;

    private sealed class KilledException : Exception;
}
