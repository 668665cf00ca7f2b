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
}
