using System.Text.Json.Nodes;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Restore;

/// <summary>After each failure that was recorded of a real server: what could be restored is, and what could not is named with what to do.</summary>
public sealed class RefusalTests
{
    [Fact]
    public async Task A_plan_changes_nothing_and_has_a_verdict_for_each_object()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Remove("secrets", "nlds", "postgres-credentials");
        cluster.Server.Change("configmaps", "nlds", "nlds-api-config", value => value["data"] = new JsonObject { ["other"] = "1" });
        cluster.Server.Change("configmaps", "nlds", "nlds-release", value => value["data"]!["version"] = "9");
        var revision = cluster.Server.Revision;

        var plan = await cluster.PlanAsync("plan");

        plan.IsOnlyAPlan.ShouldBeTrue();
        cluster.Server.Revision.ShouldBe(revision);
        plan.Steps.ShouldContain("secrets/postgres-credentials: create");
        plan.Steps.ShouldContain("configmaps/empty-config: unchanged");
        plan.Steps.ShouldContain(s => s.StartsWith("configmaps/nlds-api-config: differs; create leaves it, merge changes it, replace changes it", StringComparison.Ordinal));
        plan.Steps.ShouldContain(s => s.StartsWith("configmaps/nlds-release: differs; create leaves it, merge meets other owners (.data.version), replace deletes it and makes it anew", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_plan_for_a_namespace_that_is_not_there_says_what_cannot_be_tried()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");

        (await cluster.PlanAsync("plan")).Steps.ShouldContain("deployments.apps/nlds-api: create (cannot be tried before the namespace nlds is there)");
        cluster.Server.Find("namespaces", null, "nlds").ShouldBeNull();
    }

    [Fact]
    public async Task A_field_that_another_owner_has_set_is_a_conflict_until_it_is_forced()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        using (var api = cluster.Api())
        {
            await api.WriteAsync(
                new Kubernetes.Api.ApiCall(HttpMethod.Patch, "apis/apps/v1/namespaces/nlds/deployments/nlds-api?fieldManager=operator&force=true")
                {
                    ContentType = "application/apply-patch+yaml",
                    Body = new JsonObject
                    {
                        ["apiVersion"] = "apps/v1", ["kind"] = "Deployment", ["metadata"] = new JsonObject { ["name"] = "nlds-api" }, ["spec"] = new JsonObject { ["replicas"] = 9 },
                    },
                },
                CancellationToken.None);
        }

        var outcome = await cluster.RestoreAsync("merge");

        var conflict = outcome.NotRestored.ShouldHaveSingleItem();
        conflict.ShouldContain("deployments.apps/nlds-api");
        conflict.ShouldContain(".spec.replicas");
        conflict.ShouldContain("operator");
        conflict.ShouldContain("--force-conflicts");
        (await cluster.RestoreAsync("merge", force: true)).NotRestored.ShouldBeEmpty();
        cluster.Server.Find("deployments.apps", "nlds", "nlds-api")!["spec"]!["replicas"]!.GetValue<int>().ShouldBe(2);
    }

    [Fact]
    public async Task Replace_makes_anew_what_cannot_change_but_never_what_holds_data()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        var uid = cluster.Server.Find("configmaps", "nlds", "nlds-release")!["metadata"]!["uid"]!.GetValue<string>();
        cluster.Server.Change("configmaps", "nlds", "nlds-release", value => value["data"]!["version"] = "9");
        cluster.Server.Change("persistentvolumeclaims", "nlds", "nlds-archive", value => value["spec"]!["accessModes"] = new JsonArray("ReadWriteMany"));

        var outcome = await cluster.RestoreAsync("replace");

        var release = cluster.Server.Find("configmaps", "nlds", "nlds-release")!;
        release["data"]!["version"]!.GetValue<string>().ShouldBe("1.4.2");
        release["metadata"]!["uid"]!.GetValue<string>().ShouldNotBe(uid);
        outcome.NotRestored.ShouldHaveSingleItem().ShouldContain("persistentvolumeclaims/nlds-archive");
        cluster.Server.Find("persistentvolumeclaims", "nlds", "nlds-archive")!["spec"]!["accessModes"]![0]!.GetValue<string>().ShouldBe("ReadWriteMany");
    }

    [Fact]
    public async Task A_right_that_is_missing_is_named_with_the_object()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Remove("configmaps", "nlds", "nlds-release");
        cluster.Server.AddUser("partial", new ApiUser("nlds-backup", "u-backup", ["nlds:backup", "system:authenticated"]));
        cluster.Connect(token: "partial");

        var outcome = await cluster.RestoreAsync();

        outcome.NotRestored.ShouldContain(o => o.StartsWith("configmaps/nlds-release: configmaps is forbidden: User \"nlds-backup\" cannot create", StringComparison.Ordinal)
            && o.Contains("rbac-restore.yaml", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_fails_for_a_moment_is_tried_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        var failed = 0;
        cluster.Server.Fault = request => request.Method == "POST" && request.Path.Value!.EndsWith("/deployments", StringComparison.Ordinal) && failed++ == 0
            ? new ApiFault(500, "InternalError", "Internal error occurred: failed calling webhook \"x\": connection refused")
            : null;

        (await cluster.RestoreAsync()).NotRestored.ShouldBeEmpty();

        failed.ShouldBe(2);
        cluster.Server.Find("deployments.apps", "nlds", "nlds-api").ShouldNotBeNull();
    }

    [Fact]
    public async Task A_connection_that_breaks_under_way_is_made_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        var broken = 0;
        cluster.Server.Fault = request => request.Method == "POST" && request.Path.Value!.EndsWith("/secrets", StringComparison.Ordinal) && broken++ == 0 ? new ApiFault(0) : null;

        (await cluster.RestoreAsync()).NotRestored.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_namespace_that_is_on_its_way_out_is_waited_for()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Change("namespaces", null, "nlds", value =>
        {
            value["metadata"]!["deletionTimestamp"] = "2026-11-22T07:38:04Z";
            value["status"]!["phase"] = "Terminating";
        });
        var plan = await cluster.PlanAsync();
        var looked = 0;
        cluster.Server.Fault = request =>
        {
            if (request.Method == "GET" && request.Path.Value == "/api/v1/namespaces/nlds" && ++looked == 2)
            {
                cluster.Server.Wipe("nlds");
            }

            return null;
        };

        (await cluster.Source.RestoreAsync(plan, new Progress<TransferProgress>(), CancellationToken.None)).NotRestored.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_namespace_that_never_ends_is_told_of_with_what_holds_it()
    {
        var clock = new ManualClock();
        await using var cluster = await TestCluster.StartAsync(clock: clock);
        await cluster.TakeAsync();

        // The recorded namespace that is stuck for ever.
        var plan = await cluster.PlanAsync(ns: "nlds-terminating");
        var restore = cluster.Source.RestoreAsync(plan, new Progress<TransferProgress>(), CancellationToken.None);

        var failure = await Should.ThrowAsync<SourceException>(clock.PassUntilAsync(restore, TimeSpan.FromSeconds(1)));
        failure.Message.ShouldContain("'nlds-terminating' is being deleted since");
        failure.Message.ShouldContain("Some resources are remaining");
    }

    [Fact]
    public async Task A_quota_that_is_used_up_names_itself()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Remove("services", "nlds", "nlds-api-nodeport");
        cluster.Server.Change("resourcequotas", "nlds", "nlds-quota", value => value["spec"]!["hard"]!["services.nodeports"] = "1");
        var clock = new ManualClock();
        cluster.Connect(clock: clock);

        var plan = await cluster.PlanAsync();
        var outcome = await clock.PassUntilAsync(cluster.Source.RestoreAsync(plan, new Progress<TransferProgress>(), CancellationToken.None), TimeSpan.FromSeconds(10));

        outcome.NotRestored.ShouldHaveSingleItem().ShouldContain("exceeded quota: nlds-quota");
    }

    [Fact]
    public async Task A_finished_job_does_not_run_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        cluster.Server.Change("jobs.batch", "nlds", "initial-import", value => value["status"] = new JsonObject
        {
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Complete", ["status"] = "True" }),
        });
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");

        var outcome = await cluster.RestoreAsync();

        outcome.NotRestored.ShouldBeEmpty();
        outcome.Notes.ShouldContain(note => note.StartsWith("jobs.batch/initial-import is not made: it had run to its end", StringComparison.Ordinal));
        cluster.Server.Find("jobs.batch", "nlds", "initial-import").ShouldBeNull();
    }

    [Theory]
    [InlineData("sideways", null, "--mode is 'sideways'")]
    [InlineData(null, "Not_A_Name", "--namespace is 'Not_A_Name'")]
    public async Task What_cannot_be_meant_is_refused(string? mode, string? ns, string message)
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();

        (await Should.ThrowAsync<UsageException>(() => cluster.PlanAsync(mode, ns))).Message.ShouldContain(message);
    }

    [Fact]
    public async Task Without_a_backup_there_is_nothing_to_restore()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.Repository.PrepareAsync(CancellationToken.None);

        (await Should.ThrowAsync<NotRestorableException>(() => cluster.PlanAsync())).Message.ShouldContain("Run 'backup kubernetes'");
    }
}
