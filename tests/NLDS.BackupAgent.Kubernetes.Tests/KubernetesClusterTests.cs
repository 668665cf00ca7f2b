using System.Text.Json.Nodes;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Tests;

public sealed class KubernetesClusterTests
{
    [Fact]
    public async Task A_workload_is_scaled_down_and_up_and_waited_for()
    {
        await using var server = await TestCluster.StartAsync();
        server.Server.RunsWorkloads = true;
        using var cluster = new KubernetesCluster(server.Options, TimeProvider.System);

        (await cluster.ScaleAsync("nlds", "deployments", "nlds-api", 0, CancellationToken.None)).ShouldBe(2);
        await cluster.WaitRolledOutAsync("nlds", "deployments", "nlds-api", TimeSpan.FromSeconds(10), CancellationToken.None);
        (await cluster.FindWorkloadAsync("nlds", "deployments", "nlds-api", CancellationToken.None))!.Wanted.ShouldBe(0);
        await cluster.ScaleAsync("nlds", "deployments", "nlds-api", 3, CancellationToken.None);
        await cluster.WaitRolledOutAsync("nlds", "deployments", "nlds-api", TimeSpan.FromSeconds(10), CancellationToken.None);

        (await cluster.ListPodsAsync("nlds", "app=nlds-api", CancellationToken.None)).Count(p => p.IsReady).ShouldBe(3);
    }

    [Fact]
    public async Task A_namespace_comes_and_goes()
    {
        await using var server = await TestCluster.StartAsync();
        using var cluster = new KubernetesCluster(server.Options, TimeProvider.System);

        await cluster.CreateNamespaceAsync("nlds-drill", new Dictionary<string, string> { ["drill"] = "1" }, CancellationToken.None);
        (await cluster.FindNamespaceAsync("nlds-drill", CancellationToken.None))!["drill"].ShouldBe("1");
        await cluster.DeleteNamespaceAsync("nlds-drill", TimeSpan.FromSeconds(10), CancellationToken.None);

        (await cluster.FindNamespaceAsync("nlds-drill", CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public async Task A_pods_words_are_read_and_only_that_pod_is_deleted()
    {
        await using var server = await TestCluster.StartAsync();
        server.Server.Logs["nlds/debug-shell"] = "hello\n";
        using var cluster = new KubernetesCluster(server.Options, TimeProvider.System);
        var pod = (await cluster.ListPodsAsync("nlds", "", CancellationToken.None)).Single(p => p.Name == "debug-shell");

        (await cluster.ReadLogAsync("nlds", "debug-shell", null, false, 10, CancellationToken.None)).ShouldBe("hello\n");
        (await Should.ThrowAsync<SourceException>(() => cluster.DeletePodAsync("nlds", pod with { Uid = "another" }, CancellationToken.None))).Message.ShouldContain("UID in the precondition");
        await cluster.DeletePodAsync("nlds", pod, CancellationToken.None);

        server.Server.Find("pods", "nlds", "debug-shell").ShouldBeNull();
    }

    [Fact]
    public async Task A_pod_that_crashes_tells_why_and_since_when()
    {
        await using var server = await TestCluster.StartAsync();
        server.Server.Change("pods", "nlds", "debug-shell", pod => pod["status"] = JsonNode.Parse("""
            {
              "phase": "Running",
              "conditions": [{ "type": "Ready", "status": "False", "lastTransitionTime": "2026-11-29T03:00:00Z" }],
              "initContainerStatuses": [{ "name": "restore", "ready": true, "restartCount": 0, "state": { "terminated": { "exitCode": 0, "reason": "Completed" } } }],
              "containerStatuses": [{
                "name": "shell", "ready": false, "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } },
                "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } }
              }]
            }
            """));
        using var cluster = new KubernetesCluster(server.Options, TimeProvider.System);

        var pod = (await cluster.FindPodAsync("nlds", "debug-shell", CancellationToken.None)).ShouldNotBeNull();

        (pod.IsReady, pod.Restarts).ShouldBe((false, 4));
        pod.UnreadySince.ShouldBe(new DateTimeOffset(2026, 11, 29, 3, 0, 0, TimeSpan.Zero));
        pod.Containers.ShouldBe(
        [
            new KubernetesCluster.Container("restore", IsInit: true, IsReady: true, 0, "ended with 0 (Completed)", null, null),
            new KubernetesCluster.Container("shell", IsInit: false, IsReady: false, 4, "waiting: CrashLoopBackOff (back-off)", "CrashLoopBackOff", "with 137 (OOMKilled)"),
        ]);
        (await cluster.FindPodAsync("nlds", "nobody", CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public async Task A_pod_that_no_node_takes_tells_why()
    {
        await using var server = await TestCluster.StartAsync();
        server.Server.Change("pods", "nlds", "debug-shell", pod => pod["status"] = JsonNode.Parse("""
            { "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient memory." }] }
            """));
        using var cluster = new KubernetesCluster(server.Options, TimeProvider.System);

        var pod = (await cluster.FindPodAsync("nlds", "debug-shell", CancellationToken.None)).ShouldNotBeNull();

        (pod.Phase, pod.Unscheduled).ShouldBe(("Pending", "0/3 nodes are available: 3 Insufficient memory."));
    }
}
