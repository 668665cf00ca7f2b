using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Tests.Rehearsal;

/// <summary>What of the recorded namespace is made in a scratch namespace.</summary>
public sealed class RehearsalTests
{
    private const string Scratch = "nlds-dr-test";

    [Fact]
    public async Task What_reaches_out_or_is_the_clusters_is_not_made()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        var ofTheCluster = cluster.Server.Resources(null).SelectMany(resource => cluster.Server.List(resource)).Count();
        await MakeAsync(cluster);

        (await cluster.RestoreAsync(ns: Scratch, rehearsal: true)).NotRestored.ShouldBeEmpty();

        cluster.Server.Resources(Scratch).ShouldBe(
            [
                "configmaps", "cronjobs.batch", "deployments.apps", "jobs.batch", "limitranges", "networkpolicies.networking.k8s.io", "persistentvolumeclaims", "pods", "resourcequotas", "secrets",
                "serviceaccounts", "services", "statefulsets.apps",
            ],
            ignoreOrder: true);
        cluster.Server.List("networkpolicies.networking.k8s.io", Scratch).Select(Name).ShouldBe(["nlds-drill", "nlds-drill-store"]);
        cluster.Server.List("services", Scratch).Select(service => service["spec"]!["type"]!.GetValue<string>()).Distinct().ShouldBe(["ClusterIP"]);
        cluster.Server.List("services", Scratch).ShouldNotContain(service => Name(service) == "object-store");
        cluster.Server.List("persistentvolumeclaims", Scratch).ShouldAllBe(claim => claim["spec"]!["volumeName"] == null);
        cluster.Server.List("secrets", Scratch).ShouldNotContain(secret => secret["type"]!.GetValue<string>() == "kubernetes.io/service-account-token");
        cluster.Server.Find("cronjobs.batch", Scratch, "nightly-catalogue")!["spec"]!["suspend"]!.GetValue<bool>().ShouldBeTrue();
        cluster.Server.Find("cronjobs.batch", "nlds", "nightly-catalogue")!["spec"]!["suspend"]!.GetValue<bool>().ShouldBeFalse();

        cluster.Server.List("jobs.batch", Scratch).ShouldAllBe(job => job["spec"]!["suspend"]!.GetValue<bool>());

        // The scratch namespace itself has come, and nothing else.
        cluster.Server.Resources(null).SelectMany(resource => cluster.Server.List(resource)).Count(value => value["metadata"]!["namespace"]?.GetValue<string>() != Scratch)
            .ShouldBe(ofTheCluster + 1);
    }

    [Fact]
    public async Task Who_drills_changes_nothing_of_the_original()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        var before = Versions(cluster);
        await MakeAsync(cluster);

        await cluster.RestoreAsync(ns: Scratch, rehearsal: true);
        await Namespaces(cluster).DeleteAsync(Scratch, "nlds", TimeSpan.FromSeconds(10), CancellationToken.None);

        Versions(cluster).ShouldBe(before);
    }

    [Fact]
    public async Task A_drill_of_a_namespace_is_not_held_in_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();

        (await Should.ThrowAsync<UsageException>(() => cluster.PlanAsync(ns: "nlds", rehearsal: true))).Message.ShouldContain("cannot be held in 'nlds'");
    }

    [Theory]
    [InlineData("""{ "name": "nlds-backup", "image": "elsewhere/agent:1", "args": ["run"] }""")]
    [InlineData("""{ "name": "sidecar", "image": "registry.example.net:5000/nlds-backup:0.1.0@sha256:12", "args": ["run"] }""")]
    [InlineData("""{ "name": "sidecar", "image": "registry.example.net/our-own-name:7", "args": ["run"] }""")]
    public void Agents_go_and_those_that_fill_a_volume_become_copies(string agent)
    {
        var pod = JsonNode.Parse($$"""
            { "spec": {
                "initContainers": [
                  { "name": "restore", "image": "registry.example.net/our-own-name:7", "args": ["restore", "postgres", "--if-empty", "--target-directory", "/data"],
                    "env": [{ "name": "Storage__ReadOnly", "value": "false" }] },
                  {{agent}}
                ],
                "containers": [{ "name": "postgres", "image": "postgres:17", "args": ["-c", "archive_mode=on", "-c", "archive_command=cp %p /wal"] }]
            } }
            """)!.AsObject();

        new AgentContainers([pod]).Restrain(pod["spec"]!.AsObject()).ShouldBeTrue();

        var restore = pod["spec"]!["initContainers"]!.AsArray().ShouldHaveSingleItem()!;
        restore["args"]!.AsArray().Select(word => word!.ToString()).ShouldBe(["restore", "postgres", "--if-empty", "--as-copy", "--target-directory", "/data"]);
        restore["env"]!.ToJsonString().ShouldBe("""[{"name":"Storage__ReadOnly","value":"true"}]""");
        pod["spec"]!["containers"]![0]!["args"]![1]!.ToString().ShouldBe("archive_mode=off");
    }

    [Theory]
    [InlineData("postgres.yaml", "postgres")]
    [InlineData("redis.yaml", "redis")]
    public void The_shipped_servers_become_copies_without_an_agent(string manifest, string server)
    {
        var set = RbacTests.Load(manifest).Single(document => document["kind"]!.GetValue<string>() == "StatefulSet");
        var agents = new AgentContainers([set["spec"]!["template"]!.AsObject()]);

        RehearsalRules.Refuse(new("apps", "v1", "statefulsets", "StatefulSet", true, new HashSet<string>()), set).ShouldBeNull();
        RehearsalRules.Apply(new("apps", "v1", "statefulsets", "StatefulSet", true, new HashSet<string>()), set, agents);

        var template = set["spec"]!["template"]!;
        var restore = template["spec"]!["initContainers"]!.AsArray().ShouldHaveSingleItem()!;
        restore["args"]!.AsArray().Select(word => word!.ToString()).Take(4).ShouldBe(["restore", server, "--if-empty", "--as-copy"]);
        restore["env"]!.AsArray()[^1]!.ToJsonString().ShouldBe("""{"name":"Storage__ReadOnly","value":"true"}""");
        template["spec"]!["containers"]!.AsArray().ShouldHaveSingleItem()!["name"]!.ToString().ShouldBe(server);
        template["metadata"]!["labels"]!["backup.nlds.io/reads-store"]!.ToString().ShouldBe("true");
        template["spec"]!["automountServiceAccountToken"]!.GetValue<bool>().ShouldBeFalse();
    }

    [Fact]
    public void A_shells_line_becomes_a_copys_too()
    {
        var pod = JsonNode.Parse("""{ "spec": { "initContainers": [{ "name": "r", "image": "i", "command": ["sh", "-c", "nlds-backup restore redis --if-empty --target-directory /data"] }], "containers": [] } }""")!.AsObject();

        new AgentContainers([pod]).Restrain(pod["spec"]!.AsObject());

        pod["spec"]!["initContainers"]![0]!["command"]![2]!.ToString().ShouldBe("nlds-backup restore redis --if-empty --as-copy --target-directory /data");
    }

    [Theory]
    [InlineData("deployments.apps", """{ "spec": { "template": { "spec": { "hostNetwork": true, "containers": [] } } } }""", "uses the node")]
    [InlineData("statefulsets.apps", """{ "spec": { "template": { "spec": { "volumes": [{ "name": "root", "hostPath": { "path": "/" } }], "containers": [] } } } }""", "uses the node")]
    [InlineData("services", """{ "spec": { "type": "ExternalName", "externalName": "s3.example.org" } }""", "to s3.example.org")]
    [InlineData("tapejobs.nlds.example.org", "{}", "not held by")]
    public void What_no_policy_holds_is_not_made(string kind, string value, string why)
    {
        var (plural, group) = (kind.Split('.', 2)[0], kind.Contains('.', StringComparison.Ordinal) ? kind.Split('.', 2)[1] : "");

        RehearsalRules.Refuse(new(group, "v1", plural, "Kind", true, new HashSet<string>()), JsonNode.Parse(value)!.AsObject()).ShouldNotBeNull().ShouldContain(why);
    }

    [Fact]
    public void Who_uses_a_copy_looks_for_copies()
    {
        var connection = Convert.ToBase64String("Host=postgres.nlds.svc;Database=nlds"u8);
        var deployment = JsonNode.Parse("""{ "kind": "Deployment", "metadata": { "name": "a.nlds.svc" }, "spec": { "env": [{ "value": "redis://redis.nlds.svc.cluster.local:6379" }, { "value": "nlds" }, 7, null] } }""")!.AsObject();
        var secret = JsonNode.Parse($$"""{ "kind": "Secret", "data": { "text": "{{connection}}", "key": "/w==" } }""")!.AsObject();

        ServiceNames.Move(deployment, "nlds", Scratch);
        ServiceNames.Move(secret, "nlds", Scratch);

        deployment.ToJsonString().ShouldBe("""{"kind":"Deployment","metadata":{"name":"a.nlds.svc"},"spec":{"env":[{"value":"redis://redis.nlds-dr-test.svc.cluster.local:6379"},{"value":"nlds"},7,null]}}""");
        Convert.FromBase64String(secret["data"]!["text"]!.ToString()).ShouldBe("Host=postgres.nlds-dr-test.svc;Database=nlds"u8.ToArray());
        secret["data"]!["key"]!.ToString().ShouldBe("/w==");
    }

    [Fact]
    public void A_service_is_announced_nowhere()
    {
        var service = JsonNode.Parse("""
            { "metadata": { "name": "web", "annotations": { "external-dns.alpha.kubernetes.io/hostname": "nlds.example.org" } },
              "spec": { "type": "LoadBalancer", "externalIPs": ["203.0.113.7"], "loadBalancerIP": "203.0.113.8", "ports": [{ "port": 443, "nodePort": 31096 }] } }
            """)!.AsObject();

        RehearsalRules.Apply(new("", "v1", "services", "Service", true, new HashSet<string>()), service, new AgentContainers([]));

        service.ToJsonString().ShouldBe("""{"metadata":{"name":"web"},"spec":{"type":"ClusterIP","ports":[{"port":443}]}}""");
    }

    [Fact]
    public void A_pod_pushes_nobody_away_and_has_no_word_with_the_api()
    {
        var pod = JsonNode.Parse("""{ "metadata": { "annotations": { "prometheus.io/scrape": "true", "kept": "yes" } }, "spec": { "priorityClassName": "nlds-critical", "containers": [] } }""")!.AsObject();

        RehearsalRules.Apply(new("", "v1", "pods", "Pod", true, new HashSet<string>()), pod, new AgentContainers([]));

        pod.ToJsonString().ShouldBe("""{"metadata":{"annotations":{"kept":"yes"}},"spec":{"containers":[],"automountServiceAccountToken":false}}""");
    }

    internal static ScratchNamespaces Namespaces(TestCluster cluster) => new(new KubernetesCluster(cluster.Options, TimeProvider.System), TimeProvider.System);

    internal static Task<IReadOnlyList<string>> MakeAsync(TestCluster cluster) => Namespaces(cluster).CreateAsync(
        new ScratchNamespace(Scratch, "nlds", "20261129_160000") { StoreNetworks = ["10.1.0.0/16"], StorePorts = [443] }, CancellationToken.None);

    private static List<string> Versions(TestCluster cluster) =>
        [.. cluster.Server.Resources("nlds").SelectMany(resource => cluster.Server.List(resource, "nlds").Select(value => $"{resource}/{Name(value)} {value["metadata"]!["resourceVersion"]}"))];

    private static string Name(JsonObject value) => value["metadata"]!["name"]!.GetValue<string>();
}
