using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Checks;
using NLDS.BackupAgent.Kubernetes.Restore;
using NLDS.BackupAgent.Kubernetes.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Kubernetes.Tests;

/// <summary>The real classes between the double of an API server and a store in memory.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    /// <summary>Any 32 bytes.</summary>
    public const string Key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    private readonly TemporaryDirectory directory = new();

    private TestCluster(ApiServerDouble server) => Server = server;

    public ApiServerDouble Server { get; }

    public IObjectStore Store { get; private set; } = null!;

    public KubernetesOptions Options { get; private set; } = null!;

    public BackupRepository Repository { get; private set; } = null!;

    public KubernetesSource Source { get; private set; } = null!;

    public ArchiveReader Archives { get; private set; } = null!;

    /// <param name="keys">The repository's key; none stores readable, and leaves Secrets out.</param>
    public static async Task<TestCluster> StartAsync(string? keys = Key, string token = ApiServerDouble.Admin, Action<KubernetesOptions>? configure = null, bool loads = true, TimeProvider? clock = null)
    {
        var cluster = new TestCluster(await ApiServerDouble.StartAsync()) { Store = new MemoryObjectStore() };
        if (loads)
        {
            cluster.Server.LoadRecordedNamespace();
        }

        cluster.Connect(keys, token, configure, clock);
        return cluster;
    }

    /// <summary>Begins anew as another process would, with the same store and the same cluster.</summary>
    public void Connect(string? keys = Key, string token = ApiServerDouble.Admin, Action<KubernetesOptions>? configure = null, TimeProvider? clock = null)
    {
        var time = clock ?? TimeProvider.System;
        Options = new KubernetesOptions { Namespace = "nlds", Kubeconfig = Server.WriteKubeconfig(directory[$"config-{Guid.NewGuid():N}"], token) };
        configure?.Invoke(Options);
        Repository = new BackupRepository(Store, new RepositoryOptions { Encryption = { Key = keys } }, TimeProvider.System);
        Archives = new ArchiveReader(Repository);
        Source = new KubernetesSource(
            Repository,
            new BackupTaker(Options, Repository, Archives, time, NullLogger<BackupTaker>.Instance),
            new RestorePlanner(Options, Repository, Archives, time),
            new Restorer(Options, time, NullLogger<Restorer>.Instance),
            new KubernetesVerifier(Repository, time),
            new KubernetesChecks(Options, Repository, time),
            Options,
            time);
    }

    public KubernetesApi Api() => new(ClusterConnections.Find(Options, TimeProvider.System), TimeProvider.System);

    public Task<SealedBackup> TakeAsync() => Source.TakeAsync(new Progress<TransferProgress>(), CancellationToken.None);

    public Task<RestorePlan> PlanAsync(string? mode = null, string? ns = null, string? backup = null, bool force = false)
    {
        var options = new Dictionary<string, IReadOnlyList<string>>();
        if (mode is not null)
        {
            options["mode"] = [mode];
        }

        if (ns is not null)
        {
            options["namespace"] = [ns];
        }

        if (force)
        {
            options["force-conflicts"] = [];
        }

        return Source.PlanRestoreAsync(new RestoreRequest { BackupId = backup, Options = options }, CancellationToken.None);
    }

    public async Task<RestoreOutcome> RestoreAsync(string? mode = null, string? ns = null, string? backup = null, bool force = false) =>
        await Source.RestoreAsync(await PlanAsync(mode, ns, backup, force), new Progress<TransferProgress>(), CancellationToken.None);

    public Task<VerifyReport> VerifyAsync() => Source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), CancellationToken.None);

    public async Task<IReadOnlyDictionary<string, byte[]>> ReadArchiveAsync(SealedBackup backup)
    {
        var (_, objects) = await Archives.ReadObjectsAsync(KubernetesCatalog.Read(backup), CancellationToken.None);
        return objects;
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        directory.Dispose();
    }
}

/// <summary>A namespace as it is compared: what was declared, without what a cluster gives and counts.</summary>
internal static class Declared
{
    private static readonly string[] Generated = ["events", "events.events.k8s.io", "leases.coordination.k8s.io", "controllerrevisions.apps", "endpointslices.discovery.k8s.io"];

    public static Dictionary<string, JsonObject> Of(ApiServerDouble server, string ns)
    {
        var found = new Dictionary<string, JsonObject>();
        foreach (var resource in server.Resources(ns).Except(Generated))
        {
            foreach (var value in server.List(resource, ns).Where(v => IsDeclared(resource, v)))
            {
                found[$"{resource}/{value["metadata"]!["name"]}"] = Normal(resource, value, ns);
            }
        }

        return found;
    }

    private static bool IsDeclared(string resource, JsonObject value) =>
        value["metadata"]!["ownerReferences"] is null
        && value["metadata"]!["annotations"]?["endpoints.kubernetes.io/last-change-trigger-time"] is null
        && value["metadata"]!["name"]!.GetValue<string>() != "kube-root-ca.crt"
        && !(resource == "serviceaccounts" && value["metadata"]!["name"]!.GetValue<string>() == "default");

    private static JsonObject Normal(string resource, JsonObject value, string ns)
    {
        var copy = value.DeepClone().AsObject();
        copy.Remove("status");
        copy.Remove("kind");
        copy.Remove("apiVersion");
        var metadata = copy["metadata"]!.AsObject();
        foreach (var field in new[] { "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace" })
        {
            metadata.Remove(field);
        }

        if (resource != "tapejobs.nlds.example.org")
        {
            metadata.Remove("finalizers");
        }

        (metadata["labels"] as JsonObject)?.Remove(RestoreItem.Label);
        foreach (var annotation in new[] { "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller", "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation", "kubernetes.io/service-account.uid" })
        {
            (metadata["annotations"] as JsonObject)?.Remove(annotation);
        }

        switch (resource)
        {
            case "services" when copy["spec"]!["clusterIP"]?.GetValue<string>() != "None":
                copy["spec"]!.AsObject().Remove("clusterIP");
                copy["spec"]!.AsObject().Remove("clusterIPs");
                copy["spec"]!.AsObject().Remove("healthCheckNodePort");
                foreach (var port in copy["spec"]!["ports"]?.AsArray() ?? [])
                {
                    if (port!["nodePort"]?.GetValue<int>() != 30080)
                    {
                        port.AsObject().Remove("nodePort");
                    }
                }

                break;
            case "jobs.batch":
                metadata.Remove("labels");
                copy["spec"]!.AsObject().Remove("selector");
                copy["spec"]!.AsObject().Remove("manualSelector");
                copy["spec"]!["template"]!.AsObject().Remove("metadata");
                break;
            case "pods":
                foreach (var field in new[] { "nodeName", "priority", "preemptionPolicy", "volumes" })
                {
                    copy["spec"]!.AsObject().Remove(field);
                }

                foreach (var container in copy["spec"]!["containers"]!.AsArray())
                {
                    container!.AsObject().Remove("volumeMounts");
                }

                break;
            case "secrets" when copy["type"]!.GetValue<string>() == "kubernetes.io/service-account-token":
                copy.Remove("data");
                break;
        }

        foreach (var empty in new[] { "labels", "annotations" }.Where(f => metadata[f] is JsonObject { Count: 0 }))
        {
            metadata.Remove(empty);
        }

        _ = ns;
        return copy;
    }
}
