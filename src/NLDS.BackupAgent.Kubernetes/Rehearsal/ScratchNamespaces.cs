using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>Makes and deletes the namespaces of drills, and touches no other: two labels say that one is a drill's, and which namespace it rehearses.</summary>
public sealed class ScratchNamespaces(KubernetesCluster cluster, TimeProvider clock)
{
    /// <summary>On the namespace: the drill's id.</summary>
    public const string Drill = "backup.nlds.io/drill";

    /// <summary>On the namespace: what is rehearsed in it.</summary>
    public const string Of = "backup.nlds.io/drill-of";

    /// <summary>On pods that fill a volume from the store.</summary>
    internal const string ReadsStore = "backup.nlds.io/reads-store";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>Policies of a namespace hold neither the node's network nor its directories; this keeps pods from using them.</summary>
    private static readonly (string Label, string Value) Security = ("pod-security.kubernetes.io/enforce", "baseline");

    /// <summary>Makes sure that the name is free, or that what has it is left by an earlier drill of the same namespace.</summary>
    /// <returns>The earlier drill's id; null when the name is free.</returns>
    /// <exception cref="SourceException">It is somebody's: nothing is done with it.</exception>
    public async Task<string?> FindRemainsAsync(string name, string of, CancellationToken cancellationToken) =>
        await cluster.FindNamespaceAsync(name, cancellationToken) is { } labels ? RequireOurs(name, of, labels) : null;

    /// <summary>Makes it, closed from the beginning.</summary>
    /// <returns>How it is closed, a line each.</returns>
    public async Task<IReadOnlyList<string>> CreateAsync(ScratchNamespace scratch, CancellationToken cancellationToken)
    {
        var labels = new Dictionary<string, string> { [Drill] = scratch.Drill, [Of] = scratch.Of, [Security.Label] = Security.Value };
        await cluster.CreateNamespaceAsync(scratch.Name, labels, cancellationToken);
        var from = cluster.PodNamespace;
        await WriteAsync(ScratchPolicies.Closed(scratch, from), cancellationToken);
        if (scratch.StoreNetworks.Count > 0)
        {
            await WriteAsync(ScratchPolicies.Store(scratch), cancellationToken);
        }

        return
        [
            $"namespace {scratch.Name}, in which nothing may use the node's network or directories",
            scratch.StoreNetworks.Count > 0
                ? $"out of it: names ({scratch.DnsNamespace}); from the servers' pods also {string.Join(", ", scratch.StoreNetworks)} on {string.Join(", ", scratch.StorePorts)}, for the store"
                : $"out of it: names only ({scratch.DnsNamespace})",
            from is null ? "into it: everybody, because the drill runs outside of the cluster" : $"into it: the drill's namespace {from}",
        ];
    }

    /// <summary>Deletes it with all that is in it, and waits until it is gone.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="of">What it rehearses; another's is not touched.</param>
    /// <param name="bound">How long to wait.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>What is left.</returns>
    public async Task<Leftovers> DeleteAsync(string name, string of, TimeSpan bound, CancellationToken cancellationToken)
    {
        var path = $"api/v1/namespaces/{name}";
        var began = clock.GetTimestamp();
        if (await cluster.AskAsync(() => cluster.Api.FindObjectAsync(path, cancellationToken)) is { } found)
        {
            RequireOurs(name, of, (found.At("metadata", "labels") as JsonObject ?? []).ToDictionary(label => label.Key, label => label.Value?.ToString() ?? ""));
            var uid = found.Text("metadata", "uid");
            if (found.At("metadata", "deletionTimestamp") is null)
            {
                await DeleteAsync(path, uid, cancellationToken);
            }

            while (await cluster.AskAsync(() => cluster.Api.FindObjectAsync(path, cancellationToken)) is { } left && left.Text("metadata", "uid") == uid)
            {
                if (clock.GetElapsedTime(began) > bound)
                {
                    return new Leftovers(
                        $"The namespace {name} is not gone after {bound}. {string.Join(" ", Holding(left))} Remove what holds it; the next drill tries again.",
                        await FindVolumesAsync(name, cancellationToken));
                }

                await Task.Delay(Poll, clock, cancellationToken);
            }
        }

        // A volume that goes with its claim goes a moment after it.
        var volumes = await FindVolumesAsync(name, cancellationToken);
        while (volumes.Any(volume => volume.EndsWith("(Delete)", StringComparison.Ordinal)) && clock.GetElapsedTime(began) < bound)
        {
            await Task.Delay(Poll, clock, cancellationToken);
            volumes = await FindVolumesAsync(name, cancellationToken);
        }

        return new Leftovers(null, volumes);
    }

    private static string RequireOurs(string name, string of, IReadOnlyDictionary<string, string> labels) =>
        labels.GetValueOrDefault(Drill) is { Length: > 0 } drill
            ? labels.GetValueOrDefault(Of) == of
                ? drill
                : throw new SourceException($"The namespace '{name}' is of a drill of '{labels.GetValueOrDefault(Of)}', not of '{of}'. Nothing was done with it. Set Drill:Kubernetes:Namespace to another name.", isPermanent: true)
            : throw new SourceException(
                $"There is a namespace '{name}' that no drill has made: it lacks the label {Drill}. Nothing was done with it. Set Drill:Kubernetes:Namespace to a name that nobody uses.", isPermanent: true);

    private static List<string> Holding(JsonObject ns)
    {
        List<string> told =
        [
            .. ns.Items("status", "conditions")
                .Where(condition => condition.Text("status") == "True" && (condition.Text("type") ?? "") is var type && (type.EndsWith("Remaining", StringComparison.Ordinal) || type.EndsWith("Failure", StringComparison.Ordinal)))
                .Select(condition => condition.Text("message") ?? ""),
        ];
        var finalizers = (ns.At("metadata", "finalizers") as JsonArray ?? []).Select(finalizer => finalizer!.ToString()).ToList();
        return finalizers.Count > 0 ? [.. told, $"It has the finalizers {string.Join(", ", finalizers)}."] : told;
    }

    private Task<JsonObject> WriteAsync(JsonObject policy, CancellationToken cancellationToken) => cluster.AskAsync(() => cluster.Api.WriteAsync(
        new ApiCall(HttpMethod.Post, $"apis/networking.k8s.io/v1/namespaces/{policy.Namespace()}/networkpolicies") { Body = policy }, cancellationToken));

    /// <summary>The very one that was looked at.</summary>
    private async Task DeleteAsync(string path, string? uid, CancellationToken cancellationToken)
    {
        try
        {
            var options = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "DeleteOptions", ["preconditions"] = new JsonObject { ["uid"] = uid } };
            await cluster.AskAsync(() => cluster.Api.WriteAsync(new ApiCall(HttpMethod.Delete, path) { Body = options }, cancellationToken));
        }
        catch (SourceException gone) when (gone.InnerException is ApiException { IsNotFound: true })
        {
            // Somebody was faster.
        }
    }

    /// <summary>Volumes whose claim was in the namespace, with what becomes of them; none where the account may not look.</summary>
    private async Task<IReadOnlyList<string>> FindVolumesAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var list = await cluster.AskAsync(() => cluster.Api.GetObjectAsync("api/v1/persistentvolumes", cancellationToken));
            return
            [
                .. list.Items("items").Where(volume => volume.Text("spec", "claimRef", "namespace") == name)
                    .Select(volume => $"persistentvolumes/{volume.Name()} ({volume.Text("spec", "persistentVolumeReclaimPolicy") ?? "Retain"})"),
            ];
        }
        catch (SourceException forbidden) when (forbidden.InnerException is ApiException { IsForbidden: true })
        {
            return [];
        }
    }
}

/// <summary>What the deletion of a scratch namespace left.</summary>
/// <param name="Stuck">Why the namespace itself is still there, and what holds it; null when it is gone.</param>
/// <param name="Volumes">Volumes that stay, with their reclaim policies.</param>
public sealed record Leftovers(string? Stuck, IReadOnlyList<string> Volumes);
