using System.Globalization;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes;

/// <summary>
/// What a recovery does with a cluster besides restoring into it: scale workloads and wait for them, look at pods, their logs and events, make and delete namespaces.
/// Everything throws <see cref="SourceException"/> with what to do.
/// </summary>
public sealed class KubernetesCluster(KubernetesOptions options, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private KubernetesApi? api;

    /// <summary>The namespace that the configuration, or else the connection, names.</summary>
    public string Namespace => options.Namespace.Length > 0 ? options.Namespace : Api.Connection.Namespace ?? "default";

    private KubernetesApi Api
    {
        get
        {
            lock (gate)
            {
                return api ??= new KubernetesApi(ClusterConnections.Find(options, clock), clock);
            }
        }
    }

    /// <summary>A pod at one moment.</summary>
    public sealed record Pod(string Name, string Phase, bool IsReady, int Restarts, string Uid);

    /// <summary>Something that a controller told.</summary>
    public sealed record Told(string Type, string Reason, string About, string Message);

    /// <summary>How many pods a workload should have and has.</summary>
    public sealed record Workload(int Wanted, int Ready, bool IsRolledOut);

    /// <summary>The labels of a namespace; null when there is none of this name.</summary>
    public Task<IReadOnlyDictionary<string, string>?> FindNamespaceAsync(string ns, CancellationToken cancellationToken) => AskAsync<IReadOnlyDictionary<string, string>?>(async () =>
        await Api.FindObjectAsync($"api/v1/namespaces/{ns}", cancellationToken) is { } found
            ? (found.At("metadata", "labels") as JsonObject ?? []).ToDictionary(l => l.Key, l => l.Value?.ToString() ?? "")
            : null);

    /// <summary>Makes a namespace with labels by which it is known again.</summary>
    public Task CreateNamespaceAsync(string ns, IReadOnlyDictionary<string, string> labels, CancellationToken cancellationToken) => AskAsync(() => Api.WriteAsync(
        new ApiCall(HttpMethod.Post, "api/v1/namespaces")
        {
            Body = new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Namespace",
                ["metadata"] = new JsonObject
                {
                    ["name"] = ns, ["labels"] = new JsonObject(labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value))),
                },
            },
        },
        cancellationToken));

    /// <summary>Deletes a namespace with all that is in it, and waits until it is gone.</summary>
    /// <exception cref="SourceException">It does not end in time; the message says what holds it.</exception>
    public Task DeleteNamespaceAsync(string ns, TimeSpan bound, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var path = $"api/v1/namespaces/{ns}";
        if (await Api.FindObjectAsync(path, cancellationToken) is null)
        {
            return true;
        }

        await Api.WriteAsync(new ApiCall(HttpMethod.Delete, path), cancellationToken);
        var began = clock.GetTimestamp();
        while (await Api.FindObjectAsync(path, cancellationToken) is { } left)
        {
            if (clock.GetElapsedTime(began) > bound)
            {
                var held = left.Items("status", "conditions").Where(c => c.Text("status") == "True").Select(c => c.Text("message"));
                throw new SourceException($"The namespace '{ns}' is not gone after {bound}: {string.Join(" ", held)} Remove what holds it.", isPermanent: false);
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }

        return true;
    });

    /// <param name="resource"><c>deployments</c> or <c>statefulsets</c>.</param>
    /// <returns>Null when there is none of this name.</returns>
    public Task<Workload?> FindWorkloadAsync(string ns, string resource, string name, CancellationToken cancellationToken) => AskAsync(async () =>
        await Api.FindObjectAsync(PathOf(ns, resource, name), cancellationToken) is { } found ? Read(found) : null);

    /// <summary>Sets how many pods a workload should have; it does not wait for them.</summary>
    /// <returns>How many it should have had until now.</returns>
    public Task<int> ScaleAsync(string ns, string resource, string name, int replicas, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var path = PathOf(ns, resource, name) + "/scale";
        var before = await Api.GetObjectAsync(path, cancellationToken);
        var patch = new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } };
        await Api.WriteAsync(new ApiCall(HttpMethod.Patch, path) { Body = patch, ContentType = "application/merge-patch+json" }, cancellationToken);
        return Number(before, "spec", "replicas");
    });

    /// <summary>Waits until a workload's pods are what it should have, as <c>kubectl rollout status</c> does.</summary>
    public Task WaitRolledOutAsync(string ns, string resource, string name, TimeSpan bound, CancellationToken cancellationToken) => AskAsync(async () =>
    {
        var began = clock.GetTimestamp();
        while (true)
        {
            var found = await Api.GetObjectAsync(PathOf(ns, resource, name), cancellationToken);
            var state = Read(found);
            if (state.IsRolledOut)
            {
                return true;
            }

            var isGivenUp = found.Items("status", "conditions").Any(c => c.Text("type") == "Progressing" && c.Text("reason") == "ProgressDeadlineExceeded");
            if (isGivenUp || clock.GetElapsedTime(began) > bound)
            {
                throw new SourceException(
                    $"{resource}/{name} in '{ns}' has {state.Ready} of {state.Wanted} pods ready {(isGivenUp ? "and makes no progress" : $"after {bound}")}. See kubectl describe {resource}/{name} -n {ns}.",
                    isPermanent: false);
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    });

    /// <param name="selector">Labels as kubectl takes them: <c>app=postgres</c>; empty for all.</param>
    public Task<IReadOnlyList<Pod>> ListPodsAsync(string ns, string selector, CancellationToken cancellationToken) => AskAsync<IReadOnlyList<Pod>>(async () =>
    {
        var list = await Api.GetObjectAsync($"api/v1/namespaces/{ns}/pods?limit=500{(selector.Length > 0 ? $"&labelSelector={Uri.EscapeDataString(selector)}" : "")}", cancellationToken);
        return [.. list.Items("items").Select(p => new Pod(
            p.Name(),
            p.At("metadata", "deletionTimestamp") is null ? p.Text("status", "phase") ?? "Unknown" : "Terminating",
            p.Items("status", "conditions").Any(c => c.Text("type") == "Ready" && c.Text("status") == "True"),
            p.Items("status", "containerStatuses").Sum(c => Number(c, "restartCount")),
            p.Text("metadata", "uid") ?? ""))];
    });

    /// <summary>Deletes a pod, and no other that has its name by now.</summary>
    public Task DeletePodAsync(string ns, Pod pod, CancellationToken cancellationToken) => AskAsync(() => Api.WriteAsync(
        new ApiCall(HttpMethod.Delete, $"api/v1/namespaces/{ns}/pods/{pod.Name}")
        {
            Body = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "DeleteOptions", ["preconditions"] = new JsonObject { ["uid"] = pod.Uid } },
        },
        cancellationToken));

    /// <summary>The end of what a pod has written.</summary>
    public Task<string> ReadLogAsync(string ns, string pod, int lines, CancellationToken cancellationToken) => AskAsync(() =>
        Api.GetTextAsync($"api/v1/namespaces/{ns}/pods/{pod}/log?tailLines={lines.ToString(CultureInfo.InvariantCulture)}&limitBytes=1048576", cancellationToken));

    public Task<IReadOnlyList<Told>> ListEventsAsync(string ns, CancellationToken cancellationToken) => AskAsync<IReadOnlyList<Told>>(async () =>
    {
        var list = await Api.GetObjectAsync($"api/v1/namespaces/{ns}/events?limit=500", cancellationToken);
        return [.. list.Items("items").Select(e => new Told(
            e.Text("type") ?? "", e.Text("reason") ?? "", $"{e.Text("involvedObject", "kind")}/{e.Text("involvedObject", "name")}", e.Text("message") ?? ""))];
    });

    public void Dispose() => api?.Dispose();

    private static string PathOf(string ns, string resource, string name) => resource is "deployments" or "statefulsets"
        ? $"apis/apps/v1/namespaces/{ns}/{resource}/{Uri.EscapeDataString(name)}"
        : throw new UsageException($"'{resource}' cannot be scaled. Write deployments or statefulsets.");

    /// <summary>The rules of <c>kubectl rollout status</c>.</summary>
    private static Workload Read(JsonObject found)
    {
        var wanted = found.At("spec", "replicas") is null ? 1 : Number(found, "spec", "replicas");
        var (replicas, updated, ready) = (Number(found, "status", "replicas"), Number(found, "status", "updatedReplicas"), Number(found, "status", "readyReplicas"));
        var isSeen = Number(found, "status", "observedGeneration") >= Number(found, "metadata", "generation");
        var isStateful = found.Text("kind") == "StatefulSet";
        var isUpdated = isStateful ? wanted == 0 || found.Text("status", "updateRevision") == found.Text("status", "currentRevision") : updated == wanted;
        return new Workload(wanted, ready, isSeen && isUpdated && replicas == wanted && ready == wanted);
    }

    private static int Number(JsonObject value, params ReadOnlySpan<string> path) => value.At(path) is JsonValue number && number.TryGetValue<int>(out var found) ? found : 0;

    private async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (ApiException refused)
        {
            throw new SourceException($"The Kubernetes API at {Api.Connection.Server} refused: {refused.Message} ({refused.Code}).", refused.IsForbidden, refused);
        }
    }
}
