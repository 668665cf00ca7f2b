using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary><c>recover cluster</c>: the namespace is gone, and both servers' volumes with it.</summary>
public sealed class ClusterScenarioTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_comes_back_to_one_mark_twice_with_the_same_result()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        await bench.Redis.WriteAsync("SET kept yes");

        // What only the application's own backup has by the time of the mark.
        await bench.Postgres.Server.ExecuteAsync("INSERT INTO user_sessions VALUES ('lost', 7, now(), now() + interval '1 day', '{}')");
        await bench.Redis.WriteAsync("SET nlds:cache:lost found");
        await bench.BackUpAsync("application-data");
        await bench.Postgres.Server.ExecuteAsync("DELETE FROM user_sessions");
        await bench.Redis.WriteAsync("DEL nlds:cache:lost");
        await bench.BackUpAsync("kubernetes");
        var before = bench.Declared();
        await MarkAsync(bench, "before-release");
        await bench.Postgres.AppendAsync(11, 20);
        await bench.Redis.WriteAsync("SET kept no");

        for (var round = 1; round <= 2; round++)
        {
            await bench.LoseEverythingAsync();

            var report = await bench.RecoverAsync("cluster", new Dictionary<string, string> { ["to"] = "mark:before-release", ["with"] = "application-data" });

            report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
            (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
            (await bench.Redis.GetAsync("kept")).ShouldBe("yes");
            (await bench.Postgres.Server.ScalarAsync<string>("SELECT string_agg(session_id, ',') FROM user_sessions")).ShouldBe("lost");
            (await bench.Redis.GetAsync("nlds:cache:lost")).ShouldBe("found");
            bench.Declared().ShouldBe(before);
            bench.Replicas("deployments/nlds-api").ShouldBe(2);
        }
    }

    [Fact]
    public async Task What_survived_stays_and_a_recovery_to_latest_sets_nothing_back()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        await bench.BackUpAsync("kubernetes");
        await bench.LoseEverythingAsync(volumes: false);

        var report = await bench.RecoverAsync("cluster");

        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        bench.Postgres.Bootstraps.ShouldBe([BootstrapAction.LetInitialise, BootstrapAction.KeepData]);
        (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
    }

    [Fact]
    public async Task A_recovery_that_is_killed_at_every_step_comes_to_the_same_end()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.Postgres.AppendAsync(1, 10);
        await bench.BackUpAsync("kubernetes");
        var before = bench.Declared();
        await bench.LoseEverythingAsync();
        var arguments = new Dictionary<string, string>();
        var steps = (await bench.PlanAsync("cluster", arguments)).Steps.Select(step => step.Name).ToList();
        steps.ShouldBe(
        [
            "make the objects", "make the servers", "restore postgres", "restore redis", "wait for postgres", "wait for redis", "check the data", "make the rest", "wait for the applications",
        ]);
        foreach (var step in steps)
        {
            await Should.ThrowAsync<KilledException>(() => bench.RecoverAsync("cluster", arguments, reached: place => _ = place == "did " + step ? throw new KilledException() : 0));
        }

        var report = await bench.RecoverAsync("cluster", arguments);

        report.Verdict.ShouldBe(RecoveryVerdict.Recovered, bench.Told.ToString());
        (await bench.Postgres.ReadAsync()).ShouldBe((10, 10));
        bench.Postgres.Bootstraps.ShouldBe([BootstrapAction.LetInitialise, BootstrapAction.Restore]);
        bench.Declared().ShouldBe(before);
    }

    [Fact]
    public async Task Nothing_that_uses_the_servers_is_made_before_their_data_are_proven()
    {
        await using var bench = await ServiceBench.StartAsync(("Recovery:Checks:Questions:0:AtLeast", "1000"));
        await bench.Postgres.AppendAsync(1, 10);
        await bench.BackUpAsync("kubernetes");
        await bench.LoseEverythingAsync();

        await Should.ThrowAsync<NotRestorableException>(() => bench.RecoverAsync("cluster"));

        bench.Cluster.Find("deployments.apps", ServiceBench.Namespace, "nlds-api").ShouldBeNull();
        bench.Cluster.Find("ingresses.networking.k8s.io", ServiceBench.Namespace, "nlds-api").ShouldBeNull();
        bench.Cluster.Find("secrets", ServiceBench.Namespace, "postgres-credentials").ShouldNotBeNull();
    }

    [Fact]
    public async Task The_operators_own_program_makes_the_cluster_first_and_its_failure_is_told_in_its_words()
    {
        await using var bench = await ServiceBench.StartAsync(
            ("Recovery:Provision:0", "sh"), ("Recovery:Provision:1", "-c"), ("Recovery:Provision:2", "echo quota exceeded >&2; exit 7"));
        await bench.BackUpAsync("kubernetes");

        var failure = await Should.ThrowAsync<SourceException>(() => bench.RecoverAsync("cluster"));

        failure.Message.ShouldContain("ended with 7: quota exceeded");
    }

    [Fact]
    public async Task A_place_in_one_log_is_no_moment_of_all()
    {
        await using var bench = await ServiceBench.StartAsync();
        await bench.BackUpAsync("kubernetes");

        (await Should.ThrowAsync<UsageException>(() => bench.PlanAsync("cluster", new Dictionary<string, string> { ["to"] = "0/1000060" }))).Message.ShouldContain("mark:NAME");
        (await Should.ThrowAsync<NotRestorableException>(() => bench.PlanAsync(
            "cluster", new Dictionary<string, string> { ["to"] = DateTimeOffset.UnixEpoch.ToString("O", CultureInfo.InvariantCulture) }))).Message.ShouldContain("no kubernetes backup");
    }

    private static async Task MarkAsync(ServiceBench bench, string name)
    {
        await using var services = bench.Open("mark");
        await services.GetRequiredService<RecoveryMarks>().MarkAsync(name, [.. services.GetServices<ISnapshotSource>()], "somebody", isScheduled: false, Token);
    }

    private sealed class KilledException : Exception;
}
