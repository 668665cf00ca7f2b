using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Tests.Rehearsal;

public sealed class ScratchNamespacesTests
{
    private const string Scratch = "nlds-dr-test";

    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task It_is_closed_before_anything_is_in_it_and_nothing_else_opens_it()
    {
        await using var cluster = await TestCluster.StartAsync();

        (await RehearsalTests.MakeAsync(cluster)).ShouldBe(
        [
            "namespace nlds-dr-test, in which nothing may use the node's network or directories",
            "out of it: names (kube-system); from the servers' pods also 10.1.0.0/16 on 443, for the store",
            "into it: everybody, because the drill runs outside of the cluster",
        ]);

        cluster.Server.Calls.Where(call => call.Method == "POST").Select(call => call.Path.Split('/')[^1].Split('?')[0]).ShouldBe(["namespaces", "networkpolicies", "networkpolicies"]);
        var closed = cluster.Server.Find("networkpolicies.networking.k8s.io", Scratch, "nlds-drill")!["spec"]!;
        closed["podSelector"]!.ToJsonString().ShouldBe("{}");
        closed["egress"]!.ToJsonString().ShouldBe(
            """[{"to":[{"podSelector":{}}]},{"to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}}},{"ipBlock":{"cidr":"169.254.20.10/32"}}],"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"},{"port":5353,"protocol":"UDP"},{"port":5353,"protocol":"TCP"}]}]""");
        var store = cluster.Server.Find("networkpolicies.networking.k8s.io", Scratch, "nlds-drill-store")!["spec"]!;
        store["podSelector"]!.ToJsonString().ShouldBe("""{"matchLabels":{"backup.nlds.io/reads-store":"true"}}""");
        store["egress"]!.ToJsonString().ShouldBe("""[{"to":[{"ipBlock":{"cidr":"10.1.0.0/16"}}],"ports":[{"port":443,"protocol":"TCP"}]}]""");
    }

    [Fact]
    public async Task A_namespace_that_no_drill_made_is_left_alone()
    {
        await using var cluster = await TestCluster.StartAsync();
        var namespaces = RehearsalTests.Namespaces(cluster);

        (await Should.ThrowAsync<SourceException>(() => namespaces.FindRemainsAsync("nlds-other", "nlds", CancellationToken.None))).Message.ShouldContain("no drill has made");
        (await Should.ThrowAsync<SourceException>(() => namespaces.DeleteAsync("nlds-other", "nlds", Short, CancellationToken.None))).IsPermanent.ShouldBeTrue();
        (await Should.ThrowAsync<SourceException>(() => namespaces.DeleteAsync("nlds", "nlds", Short, CancellationToken.None))).Message.ShouldContain("Nothing was done");

        cluster.Server.Calls.ShouldAllBe(call => call.Method == "GET");
    }

    [Fact]
    public async Task The_drill_of_another_namespace_is_left_alone()
    {
        await using var cluster = await TestCluster.StartAsync();
        await RehearsalTests.MakeAsync(cluster);

        (await Should.ThrowAsync<SourceException>(() => RehearsalTests.Namespaces(cluster).DeleteAsync(Scratch, "nlds-staging", Short, CancellationToken.None))).Message.ShouldContain("not of 'nlds-staging'");

        cluster.Server.Find("namespaces", null, Scratch).ShouldNotBeNull()["metadata"]!["deletionTimestamp"].ShouldBeNull();
    }

    [Fact]
    public async Task Remains_are_known_and_gone_is_gone()
    {
        await using var cluster = await TestCluster.StartAsync();
        var namespaces = RehearsalTests.Namespaces(cluster);
        (await namespaces.FindRemainsAsync(Scratch, "nlds", CancellationToken.None)).ShouldBeNull();
        await RehearsalTests.MakeAsync(cluster);
        (await namespaces.FindRemainsAsync(Scratch, "nlds", CancellationToken.None)).ShouldBe("20261129_160000");

        var left = await namespaces.DeleteAsync(Scratch, "nlds", Short, CancellationToken.None);
        (left.Stuck, left.Volumes.Count).ShouldBe((null, 0));

        (await namespaces.FindRemainsAsync(Scratch, "nlds", CancellationToken.None)).ShouldBeNull();
        (await namespaces.DeleteAsync(Scratch, "nlds", Short, CancellationToken.None)).Stuck.ShouldBeNull();
    }

    [Fact]
    public async Task What_holds_it_is_named_and_the_next_try_goes_on()
    {
        await using var cluster = await TestCluster.StartAsync();
        var namespaces = RehearsalTests.Namespaces(cluster);
        await RehearsalTests.MakeAsync(cluster);
        cluster.Server.Add("configmaps", JsonNode.Parse("""{ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "held", "namespace": "nlds-dr-test", "uid": "1", "finalizers": ["example.org/never"] } }""")!.AsObject());

        (await namespaces.DeleteAsync(Scratch, "nlds", Short, CancellationToken.None)).Stuck.ShouldNotBeNull().ShouldContain("example.org/never in 1 resource instances");
        cluster.Server.Remove("configmaps", Scratch, "held");
        cluster.Server.Wipe(Scratch);
        (await namespaces.DeleteAsync(Scratch, "nlds", Short, CancellationToken.None)).Stuck.ShouldBeNull();
    }

    [Fact]
    public async Task Volumes_that_stay_are_named()
    {
        await using var cluster = await TestCluster.StartAsync();
        await RehearsalTests.MakeAsync(cluster);
        cluster.Server.Add("persistentvolumes", JsonNode.Parse("""
            { "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "pvc-7", "uid": "2" },
              "spec": { "persistentVolumeReclaimPolicy": "Retain", "claimRef": { "namespace": "nlds-dr-test", "name": "data-postgres-0" } } }
            """)!.AsObject());

        (await RehearsalTests.Namespaces(cluster).DeleteAsync(Scratch, "nlds", Short, CancellationToken.None)).Volumes.ShouldBe(["persistentvolumes/pvc-7 (Retain)"]);
    }
}
