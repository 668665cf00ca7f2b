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

    /// <summary>The namespace of the pod in which this process runs; null outside of the cluster.</summary>
    public string? PodNamespace => Api.Connection.IsPod ? Api.Connection.Namespace : null;

    internal KubernetesApi Api
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
    /// <param name="Phase">As the server says, or <c>Terminating</c>.</param>
    public sealed record Pod(string Name, string Phase, bool IsReady, int Restarts, string Uid)
    {
        /// <summary>Those that come before the others first.</summary>
        public IReadOnlyList<Container> Containers { get; init; } = [];

        /// <summary>What makes it again when it is gone: <c>ReplicaSet/nlds-api-6d46cfc94d</c>; null when nothing does.</summary>
        public string? Owner { get; init; }

        public string? Node { get; init; }

        /// <summary>Why no node takes it; null when one has.</summary>
        public string? Unscheduled { get; init; }

        /// <summary>Since when it is not ready; null when it is, or never was looked at.</summary>
        public DateTimeOffset? UnreadySince { get; init; }
    }

    /// <summary>One of a pod's containers at one moment.</summary>
    /// <param name="IsInit">It comes before the others.</param>
    /// <param name="State">What it does: <c>running</c>, <c>waiting: CrashLoopBackOff</c>, <c>ended with 1 (Error)</c>.</param>
    /// <param name="Waits">The reason for which it waits, in the server's word; null when it does not.</param>
    /// <param name="LastEnd">How it ended before its last start; null when it never did.</param>
    public sealed record Container(string Name, bool IsInit, bool IsReady, int Restarts, string State, string? Waits, string? LastEnd);

    /// <summary>Something that a controller told.</summary>
    public sealed record Told(string Type, string Reason, string About, string Message);

    /// <summary>How many pods a workload should have and has.</summary>
    public sealed record Workload(int Wanted, int Ready, bool IsRolledOut)
    {
        /// <summary>All pods that it has, those on their way out too.</summary>
        public int Pods { get; init; }

        /// <summary>The labels of its pods as kubectl takes them, <c>app=postgres</c>; null where it selects them in another way.</summary>
        public string? Selector { get; init; }
    }

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

    /// <param name="resource"><c>deployments</c>, <c>statefulsets</c> or <c>replicasets</c>.</param>
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

    /// <summary>The pods of a workload, those on their way out too; none where there is no such workload.</summary>
    /// <param name="resource"><c>deployments</c> or <c>statefulsets</c>.</param>
    public async Task<IReadOnlyList<Pod>> ListPodsAsync(string ns, string resource, string name, CancellationToken cancellationToken)
    {
        if (await FindWorkloadAsync(ns, resource, name, cancellationToken) is not { } workload)
        {
            return [];
        }

        var selector = workload.Selector ?? throw new SourceException($"{resource}/{name} in '{ns}' does not select its pods by labels alone, so it is not known which they are.", isPermanent: true);
        return
        [
            .. (await ListPodsAsync(ns, selector, cancellationToken)).Where(pod =>
                resource == "statefulsets" ? pod.Owner == $"StatefulSet/{name}" : pod.Owner?.StartsWith("ReplicaSet/", StringComparison.Ordinal) == true),
        ];
    }

    /// <param name="selector">Labels as kubectl takes them: <c>app=postgres</c>; empty for all.</param>
    public Task<IReadOnlyList<Pod>> ListPodsAsync(string ns, string selector, CancellationToken cancellationToken) => AskAsync<IReadOnlyList<Pod>>(async () =>
    {
        var list = await Api.GetObjectAsync($"api/v1/namespaces/{ns}/pods?limit=500{(selector.Length > 0 ? $"&labelSelector={Uri.EscapeDataString(selector)}" : "")}", cancellationToken);
        return [.. list.Items("items").Select(ReadPod)];
    });

    /// <returns>Null when there is none of this name.</returns>
    public Task<Pod?> FindPodAsync(string ns, string name, CancellationToken cancellationToken) => AskAsync(async () =>
        await Api.FindObjectAsync($"api/v1/namespaces/{ns}/pods/{Uri.EscapeDataString(name)}", cancellationToken) is { } found ? ReadPod(found) : null);

    /// <summary>Deletes a pod, and no other that has its name by now.</summary>
    public Task DeletePodAsync(string ns, Pod pod, CancellationToken cancellationToken) => AskAsync(() => Api.WriteAsync(
        new ApiCall(HttpMethod.Delete, $"api/v1/namespaces/{ns}/pods/{pod.Name}")
        {
            Body = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "DeleteOptions", ["preconditions"] = new JsonObject { ["uid"] = pod.Uid } },
        },
        cancellationToken));

    /// <summary>The end of what a pod has written.</summary>
    /// <param name="container">Which of its containers; may be null where it has one.</param>
    /// <param name="previous">What it wrote before its last restart.</param>
    public Task<string> ReadLogAsync(string ns, string pod, string? container, bool previous, int lines, CancellationToken cancellationToken) => AskAsync(() => Api.GetTextAsync(
        $"api/v1/namespaces/{ns}/pods/{pod}/log?tailLines={lines.ToString(CultureInfo.InvariantCulture)}&limitBytes=1048576"
        + (container is null ? "" : $"&container={Uri.EscapeDataString(container)}") + (previous ? "&previous=true" : ""),
        cancellationToken));

    public Task<IReadOnlyList<Told>> ListEventsAsync(string ns, CancellationToken cancellationToken) => AskAsync<IReadOnlyList<Told>>(async () =>
    {
        var list = await Api.GetObjectAsync($"api/v1/namespaces/{ns}/events?limit=500", cancellationToken);
        return [.. list.Items("items").Select(e => new Told(
            e.Text("type") ?? "", e.Text("reason") ?? "", $"{e.Text("involvedObject", "kind")}/{e.Text("involvedObject", "name")}", e.Text("message") ?? ""))];
    });

    /// <summary>Looks for the way to the cluster anew: another one may stand where it leads.</summary>
    public void Reconnect()
    {
        lock (gate)
        {
            api?.Dispose();
            api = null;
        }
    }

    public void Dispose() => api?.Dispose();

    private static string PathOf(string ns, string resource, string name) => resource is "deployments" or "statefulsets" or "replicasets"
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
        return new Workload(wanted, ready, isSeen && isUpdated && replicas == wanted && ready == wanted)
        {
            Pods = replicas,
            Selector = found.At("spec", "selector", "matchLabels") is JsonObject { Count: > 0 } labels && !found.Items("spec", "selector", "matchExpressions").Any()
                ? string.Join(',', labels.Select(label => $"{label.Key}={label.Value}"))
                : null,
        };
    }

    private static Pod ReadPod(JsonObject found)
    {
        var ready = found.Items("status", "conditions").FirstOrDefault(c => c.Text("type") == "Ready");
        var owner = found.Items("metadata", "ownerReferences").FirstOrDefault(o => o.IsTrue("controller"));
        List<Container> containers =
        [
            .. found.Items("status", "initContainerStatuses").Select(c => ReadContainer(c, isInit: true)),
            .. found.Items("status", "containerStatuses").Select(c => ReadContainer(c, isInit: false)),
        ];
        return new Pod(
            found.Name(),
            found.At("metadata", "deletionTimestamp") is null ? found.Text("status", "phase") ?? "Unknown" : "Terminating",
            ready.Text("status") == "True",
            containers.Where(c => !c.IsInit).Sum(c => c.Restarts),
            found.Text("metadata", "uid") ?? "")
        {
            Containers = containers,
            Owner = owner is null ? null : $"{owner.Text("kind")}/{owner.Text("name")}",
            Node = found.Text("spec", "nodeName"),
            Unscheduled = found.Items("status", "conditions").FirstOrDefault(c => c.Text("type") == "PodScheduled" && c.Text("status") == "False").Text("message"),
            UnreadySince = ready is not null && ready.Text("status") != "True"
                && DateTimeOffset.TryParse(ready.Text("lastTransitionTime"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since) ? since : null,
        };
    }

    private static Container ReadContainer(JsonObject status, bool isInit)
    {
        var waits = status.Text("state", "waiting", "reason");
        var state = status.At("state", "terminated") is not null ? $"ended {Ended(status, "state")}"
            : waits is not null ? $"waiting: {waits}{(status.Text("state", "waiting", "message") is { } why ? $" ({why})" : "")}"
            : status.At("state", "running") is not null ? "running" : "not started";
        return new Container(
            status.Text("name") ?? "", isInit, status.IsTrue("ready"), Number(status, "restartCount"), state, waits, status.At("lastState", "terminated") is null ? null : Ended(status, "lastState"));
    }

    private static string Ended(JsonObject status, string state) =>
        $"with {Number(status, state, "terminated", "exitCode")} ({status.Text(state, "terminated", "reason") ?? "no reason given"})";

    private static int Number(JsonObject value, params ReadOnlySpan<string> path) => value.At(path) is JsonValue number && number.TryGetValue<int>(out var found) ? found : 0;

    internal async Task<T> AskAsync<T>(Func<Task<T>> ask)
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
