using System.Text.Json.Nodes;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>A verb of a namespace of an API server, with a key, without which its Secrets would be left out.</summary>
internal abstract class KubernetesVerb(ApiServerDouble cluster, string kubeconfig) : CrashedVerb(
    [
        ("Postgres__Enabled", "false"), ("Redis__Enabled", "false"), ("Kubernetes__Namespace", Namespace), ("Kubernetes__Kubeconfig", kubeconfig),
        ("Repository__Encryption__Key", Convert.ToBase64String(new byte[32])),
    ])
{
    protected const string Namespace = "nlds";

    private readonly Dictionary<string, JsonObject> model = Declared.Of(cluster, Namespace);

    protected ApiServerDouble Cluster { get; } = cluster;

    /// <summary>The namespace is what it was.</summary>
    protected void RequireDeclared()
    {
        var found = Declared.Of(Cluster, Namespace);
        found.Keys.ShouldBe(model.Keys, ignoreOrder: true);
        foreach (var (name, value) in found)
        {
            Difference.Find(model[name], value).ShouldBeNull(name);
        }
    }
}

/// <summary>The first copy of a store.</summary>
internal sealed class BackupKubernetes(ApiServerDouble cluster, string kubeconfig) : KubernetesVerb(cluster, kubeconfig)
{
    protected override IReadOnlyList<string> Words { get; } = ["backup", "kubernetes"];

    protected override async Task RequireDoneAsync()
    {
        Cluster.Wipe(Namespace);
        await Agent.RunAsync("restore", "kubernetes");
        RequireDeclared();
    }
}

/// <summary>A restore of a namespace that is gone, killed before each of its writes to the API server too.</summary>
internal sealed class RestoreKubernetes(ApiServerDouble cluster, string kubeconfig) : KubernetesVerb(cluster, kubeconfig)
{
    protected override IReadOnlyList<string> Words { get; } = ["restore", "kubernetes"];

    protected override async Task PrepareAsync()
    {
        await PrepareBackupAsync("kubernetes");
        Cluster.Wipe(Namespace);
    }

    /// <summary>What the server is only asked to try changes nothing.</summary>
    protected override void AlsoCount(Func<string, bool> mayPass) => Cluster.Fault = request =>
        request.Method == "GET" || request.Query.ContainsKey("dryRun") || mayPass($"{request.Method} {request.Path}") ? null : new ApiFault(0);

    protected override Task RequireDoneAsync()
    {
        RequireDeclared();
        return Task.CompletedTask;
    }
}
