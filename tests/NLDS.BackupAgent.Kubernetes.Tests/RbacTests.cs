using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;
using YamlDotNet.RepresentationModel;

namespace NLDS.BackupAgent.Kubernetes.Tests;

/// <summary>The manifests that ship give what is needed, each right of them, and no more: the double decides by them as a server does.</summary>
public sealed class RbacTests
{
    [Fact]
    public async Task The_backup_manifest_is_enough_for_a_whole_backup()
    {
        await using var cluster = await ClusterAsync("rbac-backup.yaml", ApiUser.ServiceAccount("nlds", "nlds-backup"));

        (await cluster.TakeAsync()).Omissions.ShouldBe(
            ["tapejobs.nlds.example.org could not be read: tapejobs.nlds.example.org is forbidden: User \"system:serviceaccount:nlds:nlds-backup\" cannot list resource \"tapejobs\" in API group \"nlds.example.org\" in the namespace \"nlds\". Give the account the right to list on tapejobs of the group nlds.example.org (k8s/base/rbac-backup.yaml)."]);
        cluster.Server.Calls.Where(c => c.Status == 403).ShouldAllBe(c => c.Path.Contains("tapejobs", StringComparison.Ordinal));
        var findings = new List<CheckFinding>();
        await foreach (var finding in cluster.Source.CheckAsync(CancellationToken.None))
        {
            findings.Add(finding);
        }

        findings.Single(f => f.Subject == "permissions").Message.ShouldContain("missing: list tapejobs.nlds.example.org.");
    }

    [Fact]
    public async Task Whoever_only_backs_up_can_change_nothing()
    {
        await using var cluster = await ClusterAsync("rbac-backup.yaml", ApiUser.ServiceAccount("nlds", "nlds-backup"));
        await cluster.TakeAsync();
        cluster.Server.Remove("configmaps", "nlds", "nlds-release");

        (await cluster.RestoreAsync()).NotRestored.ShouldContain(o => o.StartsWith("configmaps/nlds-release", StringComparison.Ordinal));
        cluster.Server.Find("configmaps", "nlds", "nlds-release").ShouldBeNull();
    }

    [Fact]
    public async Task Every_right_of_the_backup_manifest_is_needed()
    {
        var documents = Load("rbac-backup.yaml");
        foreach (var (document, rule, index) in documents.Where(d => d["rules"] is not null).SelectMany(d => d["rules"]!.AsArray().Select((r, i) => (d, r!.AsObject(), i))))
        {
            // Kinds of which the recorded namespace has nothing to refer to are asked for only where something does.
            if (rule["resources"]!.ToJsonString().Contains("runtimeclasses", StringComparison.Ordinal))
            {
                continue;
            }

            await using var cluster = await TestCluster.StartAsync(token: "agent");
            cluster.Server.AddUser("agent", ApiUser.ServiceAccount("nlds", "nlds-backup"));
            var copies = documents.Select(d => d.DeepClone().AsObject()).ToList();
            copies[documents.IndexOf(document)]["rules"]!.AsArray().RemoveAt(index);
            cluster.Server.Seed(copies);

            (await cluster.TakeAsync()).Omissions.Count.ShouldBeGreaterThan(1, rule.ToJsonString());
        }
    }

    [Fact]
    public async Task The_restore_manifest_is_enough_to_bring_a_namespace_back()
    {
        await using var cluster = await TestCluster.StartAsync(configure: options => options.Exclude = ["tapejobs.nlds.example.org"]);
        await cluster.TakeAsync();
        cluster.Server.Wipe("nlds");
        cluster.Server.Seed(Load("rbac-restore.yaml").Where(d => d["kind"]!.GetValue<string>() is not ("Namespace" or "ServiceAccount")));
        cluster.Server.AddUser("restorer", ApiUser.ServiceAccount("nlds-restore", "nlds-restore"));
        cluster.Connect(token: "restorer");

        (await cluster.RestoreAsync()).NotRestored.ShouldBeEmpty();
        cluster.Server.Change("configmaps", "nlds", "nlds-release", value => value["data"]!["version"] = "9");
        (await cluster.RestoreAsync("replace")).NotRestored.ShouldBeEmpty();
        (await cluster.RestoreAsync("merge")).NotRestored.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_restore_manifest_is_enough_for_a_recovery_of_pods_and_servers()
    {
        await using var cluster = await TestCluster.StartAsync();
        cluster.Server.RunsWorkloads = true;
        cluster.Server.Seed(Load("rbac-restore.yaml").Where(d => d["kind"]!.GetValue<string>() is not ("Namespace" or "ServiceAccount")));
        cluster.Server.AddUser("restorer", ApiUser.ServiceAccount("nlds-restore", "nlds-restore"));
        cluster.Connect(token: "restorer");
        using var recovered = new KubernetesCluster(cluster.Options, TimeProvider.System);

        await recovered.ScaleAsync("nlds", "deployments", "nlds-api", 0, CancellationToken.None);
        await recovered.ScaleAsync("nlds", "statefulsets", "postgres", 1, CancellationToken.None);
        (await recovered.FindWorkloadAsync("nlds", "statefulsets", "postgres", CancellationToken.None)).ShouldNotBeNull();
        var pod = (await recovered.ListPodsAsync("nlds", "statefulsets", "postgres", CancellationToken.None)).ShouldHaveSingleItem();
        await recovered.FindPodAsync("nlds", pod.Name, CancellationToken.None);
        await recovered.ReadLogAsync("nlds", pod.Name, null, previous: true, 1, CancellationToken.None);
        await recovered.ListEventsAsync("nlds", CancellationToken.None);
        await recovered.DeletePodAsync("nlds", pod, CancellationToken.None);

        cluster.Server.Calls.ShouldAllBe(call => call.Status != 403);
    }

    [Fact]
    public async Task The_drill_manifest_is_enough_for_a_drill()
    {
        await using var cluster = await DrillerAsync(Load("rbac-drill.yaml"));

        await DrillAsync(cluster);

        cluster.Server.Calls.ShouldAllBe(call => call.Status != 403);
        cluster.Server.Find("namespaces", null, "nlds-dr-test").ShouldBeNull();
    }

    [Fact]
    public async Task Whoever_only_drills_changes_nothing_that_is_there_and_gives_nobody_rights()
    {
        await using var cluster = await DrillerAsync(Load("rbac-drill.yaml"));
        using var drilled = new KubernetesCluster(cluster.Options, TimeProvider.System);
        using var api = cluster.Api();
        var pod = (await drilled.ListPodsAsync("nlds", "app=postgres", CancellationToken.None))[0];
        Func<Task>[] attempts =
        [
            () => drilled.DeleteNamespaceAsync("nlds", TimeSpan.FromSeconds(1), CancellationToken.None),
            () => drilled.ScaleAsync("nlds", "deployments", "nlds-api", 0, CancellationToken.None),
            () => drilled.DeletePodAsync("nlds", pod, CancellationToken.None),
        ];

        foreach (var attempt in attempts)
        {
            (await Should.ThrowAsync<SourceException>(attempt)).Message.ShouldContain("(403)");
        }

        var binding = JsonNode.Parse("""
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "mine" },
              "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" }, "subjects": [] }
            """)!;
        (await Should.ThrowAsync<ApiException>(() => api.WriteAsync(
            new Kubernetes.Api.ApiCall(HttpMethod.Post, "apis/rbac.authorization.k8s.io/v1/clusterrolebindings") { Body = binding }, CancellationToken.None))).IsForbidden.ShouldBeTrue();
    }

    [Fact]
    public async Task Every_right_of_the_drill_manifest_is_needed()
    {
        var documents = Load("rbac-drill.yaml");
        var role = documents.FindIndex(document => document["rules"] is not null);
        for (var index = 0; index < documents[role]["rules"]!.AsArray().Count; index++)
        {
            var copies = documents.Select(document => document.DeepClone().AsObject()).ToList();
            var rule = copies[role]["rules"]![index]!.ToJsonString();
            copies[role]["rules"]!.AsArray().RemoveAt(index);
            await using var cluster = await DrillerAsync(copies);

            try
            {
                await DrillAsync(cluster);
            }
            catch (SourceException)
            {
                // Some rights are missed at once.
            }

            cluster.Server.Calls.ShouldContain(call => call.Status == 403, rule);
        }
    }

    private static async Task<TestCluster> DrillerAsync(List<JsonObject> manifest)
    {
        var cluster = await TestCluster.StartAsync();
        cluster.Server.RunsWorkloads = true;
        cluster.Server.Change("serviceaccounts", "nlds", "default", account => account["imagePullSecrets"] = new JsonArray(new JsonObject { ["name"] = "registry-pull" }));
        await cluster.TakeAsync();
        cluster.Server.Seed(manifest.Where(d => d["kind"]!.GetValue<string>() is not ("Namespace" or "ServiceAccount")));
        cluster.Server.AddUser("driller", ApiUser.ServiceAccount("nlds-drill", "nlds-drill"));
        cluster.Connect(token: "driller");
        return cluster;
    }

    /// <summary>All that a drill asks of the cluster.</summary>
    private static async Task DrillAsync(TestCluster cluster)
    {
        const string scratch = "nlds-dr-test";
        using var drilled = new KubernetesCluster(cluster.Options, TimeProvider.System);
        var namespaces = new ScratchNamespaces(drilled, TimeProvider.System);
        await namespaces.FindRemainsAsync(scratch, "nlds", CancellationToken.None);
        await namespaces.CreateAsync(new ScratchNamespace(scratch, "nlds", "1") { StoreNetworks = ["0.0.0.0/0"], StorePorts = [443] }, CancellationToken.None);
        await cluster.RestoreAsync(ns: scratch, rehearsal: true);
        await drilled.WaitRolledOutAsync(scratch, "statefulsets", "postgres", TimeSpan.FromSeconds(20), CancellationToken.None);
        await drilled.WaitRolledOutAsync(scratch, "deployments", "nlds-api", TimeSpan.FromSeconds(20), CancellationToken.None);
        var pod = (await drilled.ListPodsAsync(scratch, "statefulsets", "postgres", CancellationToken.None))[0];
        await drilled.ReadLogAsync(scratch, pod.Name, null, previous: true, 1, CancellationToken.None);
        await drilled.ListEventsAsync(scratch, CancellationToken.None);
        await namespaces.DeleteAsync(scratch, "nlds", TimeSpan.FromSeconds(10), CancellationToken.None);
    }

    private static async Task<TestCluster> ClusterAsync(string manifest, ApiUser user)
    {
        var cluster = await TestCluster.StartAsync(token: "agent");
        cluster.Server.AddUser("agent", user);
        cluster.Server.Seed(Load(manifest));
        return cluster;
    }

    internal static List<JsonObject> Load(string manifest)
    {
        using var reader = new StreamReader(Path.Combine(Checkout.Root, "k8s/base", manifest));
        var yaml = new YamlStream();
        yaml.Load(reader);
        return [.. yaml.Documents.Select(d => Convert(d.RootNode)!.AsObject())];
    }

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(c => KeyValuePair.Create(((YamlScalarNode)c.Key).Value!, Convert(c.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(Convert)]),
        _ => JsonValue.Create(((YamlScalarNode)node).Value),
    };
}
