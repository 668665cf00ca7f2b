using System.Globalization;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>
/// What the controllers of a cluster do when objects come and go, at once instead of a moment later: a namespace's first objects, its end, garbage, definitions
/// that become established, and, where a test asks for it, the pods of workloads.
/// </summary>
internal sealed class ApiControllers : IAsyncDisposable
{
    private readonly ApiObjects objects;
    private readonly ApiDiscovery discovery;
    private readonly TimeProvider clock;

    public ApiControllers(ApiObjects objects, ApiDiscovery discovery, TimeProvider clock)
    {
        (this.objects, this.discovery, this.clock) = (objects, discovery, clock);
        Kubelet = new ApiKubelet(objects, Removed, Reconcile);
        objects.Changed = Kubelet.Hear;
    }

    public ApiKubelet Kubelet { get; }

    /// <summary>Deployments and stateful sets get pods that are ready, and a status that says so.</summary>
    public bool RunsWorkloads { get; set; }

    /// <summary>A namespace that is deleted stays Terminating until this is taken back: something in it has a finalizer that nobody removes.</summary>
    public bool HoldsNamespaces { get; set; }

    /// <summary>New definitions of custom resources wait to be established until <see cref="Establish"/>.</summary>
    public bool HoldsDefinitions { get; set; }

    private string Now => clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public void Stored(ApiKind kind, JsonObject value, bool isNew)
    {
        var name = Name(value);
        switch (kind.Qualified)
        {
            case "namespaces" when isNew:
                Make("serviceaccounts", "ServiceAccount", name, "default", []);
                Make("configmaps", "ConfigMap", name, "kube-root-ca.crt", new JsonObject { ["data"] = new JsonObject { ["ca.crt"] = "-----BEGIN CERTIFICATE-----\n…" } });
                break;
            case "customresourcedefinitions.apiextensions.k8s.io" when !HoldsDefinitions && value["status"] is null:
                Establish(value);
                break;
            case "secrets" when value["type"]?.GetValue<string>() == "kubernetes.io/service-account-token" && (value["data"] as JsonObject)?.ContainsKey("token") != true:
                var filled = value.DeepClone().AsObject();
                filled["data"] = new JsonObject { ["token"] = Convert.ToBase64String(Guid.NewGuid().ToByteArray()), ["ca.crt"] = "LQ==", ["namespace"] = "bmxkcw==" };
                objects.Put("secrets", filled);
                break;
            case "deployments.apps" or "statefulsets.apps" or "replicasets.apps" when RunsWorkloads:
                Run(kind, value);
                break;
        }
    }

    /// <summary>Says of all definitions that they are established.</summary>
    public void Establish()
    {
        foreach (var (_, definition) in objects.List("customresourcedefinitions.apiextensions.k8s.io", null).Where(d => d.Value["status"] is null))
        {
            Establish(definition);
        }
    }

    /// <summary>A namespace, or something with a finalizer, has been told to go.</summary>
    public void Deleting(ApiKind kind, JsonObject value)
    {
        if (kind.Qualified == "namespaces")
        {
            var ns = value.DeepClone().AsObject();
            ns["status"] = new JsonObject { ["phase"] = "Terminating" };
            objects.Put("namespaces", ns);
            Empty(Name(value));
            if (objects.Get("namespaces", null, Name(value)) is not null && FinalizersIn(Name(value)) is { Count: > 0 } finalizers)
            {
                ns["status"]!["conditions"] = new JsonArray(new JsonObject
                {
                    ["type"] = "NamespaceFinalizersRemaining",
                    ["status"] = "True",
                    ["reason"] = "SomeFinalizersRemain",
                    ["message"] = $"Some content in the namespace has finalizers remaining: {string.Join(", ", finalizers.GroupBy(f => f).Select(f => $"{f.Key} in {f.Count()} resource instances"))}",
                });
                objects.Put("namespaces", ns);
            }
        }
    }

    /// <summary>Something is gone; a namespace that waited for it may go too.</summary>
    public void Removed(JsonObject value)
    {
        if (value["kind"]?.GetValue<string>() == "Pod")
        {
            Reconcile(value);
        }

        if (value["metadata"]!["namespace"]?.GetValue<string>() is { } ns && objects.Get("namespaces", null, ns)?["metadata"]!["deletionTimestamp"] is not null)
        {
            Empty(ns);
        }
    }

    /// <summary>A pod has changed: its workload may want another one, and counts those that are ready.</summary>
    public void Reconcile(JsonObject pod)
    {
        if (!RunsWorkloads)
        {
            return;
        }

        var owners = Owners(pod).ToHashSet();
        owners.UnionWith(objects.List("replicasets.apps", null).Where(set => owners.Contains(Uid(set.Value))).SelectMany(set => Owners(set.Value)).ToList());
        foreach (var (kind, storage) in new[] { ("StatefulSet", "statefulsets.apps"), ("Deployment", "deployments.apps") })
        {
            foreach (var (_, workload) in objects.List(storage, pod["metadata"]!["namespace"]!.GetValue<string>()).Where(w => owners.Contains(Uid(w.Value))))
            {
                Run(discovery.Find("apps", "v1", storage.Split('.')[0])!, workload);
            }
        }
    }

    /// <summary>Removes what belongs to an owner that is no more.</summary>
    public void CollectGarbage(string uid)
    {
        foreach (var storage in objects.Storages.ToList())
        {
            foreach (var (_, owned) in objects.List(storage, null).Where(o => Owners(o.Value).Contains(uid)).ToList())
            {
                objects.Delete(storage, owned);
                CollectGarbage(owned["metadata"]!["uid"]!.GetValue<string>());
            }
        }
    }

    /// <summary>Removes all that names owners of which none exists, as the garbage collector does within seconds.</summary>
    public void CollectGarbage()
    {
        var alive = objects.Storages.SelectMany(s => objects.List(s, null)).Select(o => o.Value["metadata"]!["uid"]?.GetValue<string>()).ToHashSet();
        foreach (var storage in objects.Storages.ToList())
        {
            foreach (var (_, orphan) in objects.List(storage, null).Where(o => Owners(o.Value) is { Count: > 0 } owners && !owners.Any(alive.Contains)).ToList())
            {
                objects.Delete(storage, orphan);
            }
        }
    }

    private List<string> FinalizersIn(string ns) =>
        [.. objects.Storages.ToList().SelectMany(storage => objects.List(storage, ns)).SelectMany(o => o.Value["metadata"]!["finalizers"]?.AsArray() ?? []).Select(f => f!.GetValue<string>())];

    public void Empty(string ns)
    {
        if (HoldsNamespaces)
        {
            return;
        }

        var remaining = 0;
        foreach (var storage in objects.Storages.ToList())
        {
            foreach (var (_, value) in objects.List(storage, ns).ToList())
            {
                if (value["metadata"]!["finalizers"] is JsonArray { Count: > 0 } finalizers && finalizers.Any(f => f!.GetValue<string>() is not ("kubernetes.io/pvc-protection" or "foregroundDeletion")))
                {
                    remaining++;
                }
                else if (storage == "pods" && Kubelet.Runs(value))
                {
                    // It is gone when its containers have ended.
                    remaining++;
                    if (value["metadata"]!["deletionTimestamp"] is null)
                    {
                        Terminate(value);
                    }
                }
                else
                {
                    objects.Delete(storage, value);
                }
            }
        }

        if (remaining == 0 && objects.Get("namespaces", null, ns) is { } empty)
        {
            objects.Delete("namespaces", empty);
        }
    }

    private void Establish(JsonObject definition)
    {
        var established = definition.DeepClone().AsObject();
        JsonObject Condition(string type) => new() { ["type"] = type, ["status"] = "True", ["lastTransitionTime"] = Now, ["reason"] = type, ["message"] = "" };
        established["status"] = new JsonObject
        {
            ["conditions"] = new JsonArray(Condition("NamesAccepted"), Condition("Established")), ["acceptedNames"] = definition["spec"]!["names"]!.DeepClone(),
        };
        objects.Put("customresourcedefinitions.apiextensions.k8s.io", established);
    }

    private void Run(ApiKind kind, JsonObject value)
    {
        if (kind.Kind == "ReplicaSet" && Owners(value).Count > 0)
        {
            return; // its deployment counts its pods
        }

        var (ns, name) = (value["metadata"]!["namespace"]!.GetValue<string>(), Name(value));
        var wanted = value["spec"]!["replicas"]?.GetValue<int>() ?? 1;
        var sets = objects.List("replicasets.apps", ns).Select(s => s.Value).Where(s => Owners(s).Contains(Uid(value))).ToList();
        var owners = sets.Select(Uid).Append(Uid(value)).ToHashSet();
        List<JsonObject> Pods() => [.. objects.List("pods", ns).Select(p => p.Value).Where(p => Owners(p).Any(owners.Contains))];
        foreach (var extra in Pods().Skip(wanted))
        {
            Terminate(extra);
        }

        var owner = sets.LastOrDefault() is { } set
            ? (Kind: "ReplicaSet", Name: Name(set), Uid: Uid(set))
            : (Kind: kind.Kind == "Deployment" ? "ReplicaSet" : kind.Kind, Name: name, Uid: Uid(value));
        for (var i = Pods().Count; i < wanted; i++)
        {
            var pod = new JsonObject
            {
                ["kind"] = "Pod",
                ["metadata"] = new JsonObject
                {
                    ["namespace"] = ns,
                    ["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = kind.GroupVersion, ["kind"] = owner.Kind, ["name"] = owner.Name, ["uid"] = owner.Uid, ["controller"] = true }),
                },
            };
            var isRun = Kubelet.Runs(pod);
            Make(
                "pods",
                "Pod",
                ns,
                kind.Kind == "StatefulSet" ? $"{name}-{i}" : $"{name}-{Guid.NewGuid().ToString("N")[..5]}",
                new JsonObject
                {
                    ["spec"] = value["spec"]!["template"]!["spec"]!.DeepClone(),
                    ["status"] = new JsonObject
                    {
                        ["phase"] = isRun ? "Pending" : "Running",
                        ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = isRun ? "False" : "True" }),
                    },
                },
                value["spec"]!["template"]!["metadata"]?["labels"]?.DeepClone(),
                pod["metadata"]!["ownerReferences"]!.DeepClone().AsArray());
        }

        var all = Pods();
        var ready = all.Count(p => (p["status"]?["conditions"]?.AsArray() ?? []).Any(c => c!["type"]!.GetValue<string>() == "Ready" && c["status"]!.GetValue<string>() == "True"));
        var next = value.DeepClone().AsObject();
        next["status"] = new JsonObject
        {
            ["observedGeneration"] = value["metadata"]!["generation"]?.DeepClone() ?? 1,
            ["replicas"] = all.Count, ["updatedReplicas"] = all.Count, ["readyReplicas"] = ready, ["availableReplicas"] = ready,
            ["currentRevision"] = "1", ["updateRevision"] = "1",
        };
        if (!JsonNode.DeepEquals(next["status"], value["status"]))
        {
            objects.Put(kind.Storage, next);
        }
    }

    /// <summary>A pod that really runs ends before it is gone.</summary>
    public void Terminate(JsonObject pod)
    {
        if (!Kubelet.Runs(pod))
        {
            objects.Delete("pods", pod);
            return;
        }

        var ending = pod.DeepClone().AsObject();
        ending["metadata"]!["deletionTimestamp"] ??= Now;
        objects.Put("pods", ending);
    }

    public ValueTask DisposeAsync() => Kubelet.DisposeAsync();

    private void Make(string storage, string kind, string ns, string name, JsonObject content, JsonNode? labels = null, JsonArray? owners = null)
    {
        if (objects.Get(storage, ns, name) is not null || discovery.Find("", "v1", storage) is null)
        {
            return;
        }

        var metadata = new JsonObject { ["name"] = name, ["namespace"] = ns, ["uid"] = Guid.NewGuid().ToString(), ["creationTimestamp"] = Now };
        if (labels is not null)
        {
            metadata["labels"] = labels;
        }

        if (owners is not null)
        {
            metadata["ownerReferences"] = owners;
        }

        var value = new JsonObject { ["kind"] = kind, ["apiVersion"] = "v1", ["metadata"] = metadata };
        foreach (var (field, inner) in content)
        {
            value[field] = inner?.DeepClone();
        }

        objects.Put(storage, value);
    }

    private static List<string> Owners(JsonObject value) =>
        [.. (value["metadata"]!["ownerReferences"]?.AsArray() ?? []).Select(o => o!["uid"]!.GetValue<string>())];

    private static string Uid(JsonObject value) => value["metadata"]!["uid"]!.GetValue<string>();

    private static string Name(JsonObject value) => value["metadata"]!["name"]!.GetValue<string>();
}
