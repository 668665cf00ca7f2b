using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Restore;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Restore;

/// <summary>Back up, take away, restore, compare: every recorded kind.</summary>
public sealed class RoundTripTests
{
    [Fact]
    public async Task A_namespace_that_was_deleted_comes_back_as_it_was()
    {
        await using var cluster = await TestCluster.StartAsync();
        var before = Declared.Of(cluster.Server, "nlds");
        var backup = await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");

        var outcome = await cluster.RestoreAsync();

        outcome.NotRestored.ShouldBeEmpty();
        ShouldBeTheSame(before, Declared.Of(cluster.Server, "nlds"), except: FinishedJobs(before));
        cluster.Server.Find("configmaps", "nlds", "nlds-release")!["metadata"]!["labels"]![RestoreItem.Label]!.GetValue<string>().ShouldBe(backup.Id.ToString());
        cluster.Server.CollectGarbage();
        ShouldBeTheSame(before, Declared.Of(cluster.Server, "nlds"), except: FinishedJobs(before));
    }

    [Fact]
    public async Task A_cluster_that_is_empty_gets_definitions_classes_and_volumes_too()
    {
        await using var cluster = await TestCluster.StartAsync();
        var before = Declared.Of(cluster.Server, "nlds");
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        foreach (var resource in new[]
        {
            "persistentvolumes", "storageclasses.storage.k8s.io", "ingressclasses.networking.k8s.io", "clusterissuers.cert-manager.io",
        })
        {
            foreach (var value in cluster.Server.List(resource))
            {
                cluster.Server.Remove(resource, null, value["metadata"]!["name"]!.GetValue<string>());
            }
        }

        using (var api = cluster.Api())
        {
            foreach (var definition in cluster.Server.List("customresourcedefinitions.apiextensions.k8s.io"))
            {
                await api.WriteAsync(
                    new Kubernetes.Api.ApiCall(HttpMethod.Delete, $"apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition["metadata"]!["name"]}"), CancellationToken.None);
            }
        }

        var outcome = await cluster.RestoreAsync();

        outcome.NotRestored.ShouldBeEmpty();
        ShouldBeTheSame(before, Declared.Of(cluster.Server, "nlds"), except: FinishedJobs(before));
        cluster.Server.Find("persistentvolumes", null, "nlds-postgres-pv-0")!["spec"]!["claimRef"]!["uid"].ShouldBeNull();
        cluster.Server.Find("persistentvolumeclaims", "nlds", "data-postgres-0")!["spec"]!["volumeName"]!.GetValue<string>().ShouldBe("nlds-postgres-pv-0");
        cluster.Server.Find("clusterissuers.cert-manager.io", null, "selfsigned").ShouldNotBeNull();
    }

    [Fact]
    public async Task Restoring_twice_is_the_same_as_once()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        await cluster.RestoreAsync();
        var revision = cluster.Server.Revision;

        var outcome = await cluster.RestoreAsync();

        outcome.NotRestored.ShouldBeEmpty();
        outcome.Notes.ShouldContain(note => note.StartsWith("As they should be already", StringComparison.Ordinal));
        cluster.Server.Revision.ShouldBe(revision);
    }

    [Fact]
    public async Task What_is_there_is_left_as_it_is_unless_another_mode_is_asked_for()
    {
        await using var cluster = await TestCluster.StartAsync();
        var before = Declared.Of(cluster.Server, "nlds");
        await cluster.TakeAsync();
        cluster.Server.Change("configmaps", "nlds", "nlds-api-config", value => value["data"] = new JsonObject { ["other"] = "1" });
        cluster.Server.Remove("secrets", "nlds", "postgres-credentials");

        var created = await cluster.RestoreAsync("create");

        created.NotRestored.ShouldBeEmpty();
        created.Notes.ShouldContain(note => note.StartsWith("configmaps/nlds-api-config is there and different", StringComparison.Ordinal));
        cluster.Server.Find("configmaps", "nlds", "nlds-api-config")!["data"]!["other"]!.GetValue<string>().ShouldBe("1");
        cluster.Server.Find("secrets", "nlds", "postgres-credentials").ShouldNotBeNull();

        (await cluster.RestoreAsync("merge")).NotRestored.ShouldBeEmpty();

        var merged = cluster.Server.Find("configmaps", "nlds", "nlds-api-config")!["data"]!.AsObject();
        merged.ContainsKey("other").ShouldBeTrue();
        merged.Count.ShouldBeGreaterThan(1);

        (await cluster.RestoreAsync("replace")).NotRestored.ShouldBeEmpty();

        ShouldBeTheSame(before, Declared.Of(cluster.Server, "nlds"));
    }

    [Fact]
    public async Task Another_namespace_gets_a_copy_and_the_original_is_untouched()
    {
        await using var cluster = await TestCluster.StartAsync();
        var before = Declared.Of(cluster.Server, "nlds");
        var volumes = cluster.Server.List("persistentvolumes").Select(v => v.ToJsonString()).ToList();
        await cluster.TakeAsync();

        // The quota and the node port are the original's own as long as it is there.
        var outcome = await cluster.RestoreAsync(ns: "nlds-copy");

        outcome.NotRestored.ShouldHaveSingleItem().ShouldContain("services/nlds-api-nodeport");
        outcome.NotRestored[0].ShouldContain("30080");
        outcome.Notes.ShouldContain(note => note.Contains("ingresses.networking.k8s.io/nlds-api is not made", StringComparison.Ordinal) && note.Contains("nlds.example.org", StringComparison.Ordinal));
        ShouldBeTheSame(before, Declared.Of(cluster.Server, "nlds"));
        cluster.Server.List("persistentvolumes").Select(v => v.ToJsonString()).ShouldBe(volumes);
        cluster.Server.Find("persistentvolumeclaims", "nlds-copy", "data-postgres-0")!["spec"]!["volumeName"].ShouldBeNull();
        cluster.Server.Find("rolebindings.rbac.authorization.k8s.io", "nlds-copy", "nlds-api")!["subjects"]![0]!["namespace"]!.GetValue<string>().ShouldBe("nlds-copy");
        cluster.Server.Find("clusterrolebindings.rbac.authorization.k8s.io", null, "nlds-backup-reader-nlds-copy")!["subjects"]![0]!["namespace"]!.GetValue<string>().ShouldBe("nlds-copy");
        var copied = Declared.Of(cluster.Server, "nlds-copy");
        before.Keys.Except(copied.Keys).ShouldBe(
            ["ingresses.networking.k8s.io/nlds-api", "services/nlds-api-nodeport", .. FinishedJobs(before)], ignoreOrder: true);
    }

    [Fact]
    public async Task Texts_that_name_the_old_namespace_are_told_of()
    {
        await using var cluster = await TestCluster.StartAsync();
        cluster.Server.Change("configmaps", "nlds", "nlds-api-config", value => value["data"]!["database.url"] = "postgres://nlds@postgres.nlds.svc.cluster.local:5432/nlds");
        await cluster.TakeAsync();

        var plan = await cluster.PlanAsync(ns: "nlds-copy");

        plan.Warnings.ShouldContain(w => w.Contains("configmaps/nlds-api-config names a service of the namespace nlds in data.database.url", StringComparison.Ordinal)
            && w.Contains("postgres.nlds.svc.cluster.local", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_volume_that_was_released_is_offered_to_its_claim_again()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        cluster.Server.Change("persistentvolumes", null, "nlds-postgres-pv-0", value => value["status"] = new JsonObject { ["phase"] = "Released" });

        (await cluster.RestoreAsync()).NotRestored.ShouldBeEmpty();

        var claim = cluster.Server.Find("persistentvolumes", null, "nlds-postgres-pv-0")!["spec"]!["claimRef"]!.AsObject();
        claim.ContainsKey("uid").ShouldBeFalse();
        claim["name"]!.GetValue<string>().ShouldBe("data-postgres-0");
    }

    [Fact]
    public async Task The_order_lets_nothing_come_before_what_it_needs()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        var from = cluster.Server.Calls.Count;

        await cluster.RestoreAsync();

        var made = cluster.Server.Calls.Skip(from).Where(c => c is { Method: "POST", Status: 201 }).Select(c => c.Path.Split('?')[0].Split('/')[^1]).Distinct().ToList();
        made.IndexOf("namespaces").ShouldBeLessThan(made.IndexOf("serviceaccounts"));
        made.IndexOf("secrets").ShouldBeLessThan(made.IndexOf("certificates"));
        made.IndexOf("issuers").ShouldBeLessThan(made.IndexOf("certificates"));
        made.IndexOf("persistentvolumeclaims").ShouldBeLessThan(made.IndexOf("statefulsets"));
        made.IndexOf("networkpolicies").ShouldBeLessThan(made.IndexOf("deployments"));
        made.IndexOf("resourcequotas").ShouldBeGreaterThan(made.IndexOf("deployments"));
    }

    private static List<string> FinishedJobs(Dictionary<string, JsonObject> before) =>
        [.. before.Keys.Where(k => k.StartsWith("jobs.batch/", StringComparison.Ordinal) && Finished.Contains(k))];

    /// <summary>The recorded Job had not run to its end; a test that needs one finishes it.</summary>
    private static readonly HashSet<string> Finished = [];

    private static void ShouldBeTheSame(Dictionary<string, JsonObject> before, Dictionary<string, JsonObject> after, IEnumerable<string>? except = null)
    {
        after.Keys.ShouldBe(before.Keys.Except(except ?? []), ignoreOrder: true);
        foreach (var (key, value) in after)
        {
            Difference.Find(before[key], value).ShouldBeNull(key);
        }
    }
}
