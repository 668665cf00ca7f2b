using System.Buffers;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;

namespace NLDS.BackupAgent.Kubernetes.Objects;

/// <summary>
/// Turns an object as it was read into one that can be made anew. What is stored stays raw, so that a better rule restores old backups better; only here does anything
/// get lost, and each loss has its reason.
/// </summary>
/// <param name="From">The namespace that it was read in.</param>
/// <param name="To">The namespace that it goes to.</param>
/// <param name="KeepsVolumes">Claims keep the volume that they were bound to; otherwise they get new ones.</param>
internal sealed record Transform(string From, string To, bool KeepsVolumes)
{
    private static readonly string[] ServerMetadata =
    [
        "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generateName", "managedFields",

        // Their uids are of owners that are no more: the garbage collector would take the restored object for an orphan and delete it.
        "ownerReferences",
    ];

    private static readonly string[] ControllerAnnotations =
    [
        "deployment.kubernetes.io/revision", "control-plane.alpha.kubernetes.io/leader", "endpoints.kubernetes.io/last-change-trigger-time",
        "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller", "volume.kubernetes.io/selected-node",
        "volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner", "deprecated.daemonset.template.generation",
        "kubernetes.io/service-account.uid", "batch.kubernetes.io/job-tracking",
    ];

    private static readonly SearchValues<char> Before = SearchValues.Create(" \n\t\"'/@=,");
    private static readonly SearchValues<char> Behind = SearchValues.Create(" \n\t\"'/:,");

    private const string LastApplied = "kubectl.kubernetes.io/last-applied-configuration";

    public bool IsElsewhere => From != To;

    /// <param name="raw">As it was read; left as it is.</param>
    /// <param name="note">Gets a sentence for each thing that people should know.</param>
    public JsonObject Apply(ApiResource resource, JsonObject raw, Action<string>? note = null)
    {
        var value = raw.DeepClone().AsObject();
        var declared = value.Text("metadata", "annotations", LastApplied) is { } applied ? Parse(applied) : null;
        var fields = raw.At("metadata", "managedFields")?.ToJsonString() ?? "";
        if (resource.HasStatus || !resource.IsCustom)
        {
            value.Remove("status");
        }

        CleanMetadata(resource, value, declared);
        switch (resource.Name)
        {
            case Kinds.Services:
                CleanService(value, declared, fields, note);
                break;
            case "pods":
                CleanPod(value["spec"] as JsonObject);
                break;
            case Kinds.Jobs:
                CleanJob(value);
                break;
            case Kinds.Claims when !KeepsVolumes:
                value["spec"].Drop("volumeName");
                break;
            case Kinds.Volumes:
                CleanVolume(value);
                break;
            case "serviceaccounts":
                CleanAccount(value);
                break;
            case Kinds.Secrets when value.Text("type") == "kubernetes.io/service-account-token":
                // The token is of an account that is no more; the controller writes a new one.
                value.Remove("data");
                break;
            case Kinds.Definitions:
                value["spec"].At("conversion", "webhook", "clientConfig").Drop("caBundle");
                break;
            case Kinds.Namespaces:
                value.Remove("spec");
                value["metadata"].At("labels").Drop("kubernetes.io/metadata.name");
                (value["metadata"] as JsonObject)?.DropEmpty("labels");
                break;
        }

        if (IsElsewhere)
        {
            Move(resource, value, note);
        }

        return value;
    }

    private void CleanMetadata(ApiResource resource, JsonObject value, JsonObject? declared)
    {
        if (value["metadata"] is not JsonObject metadata)
        {
            return;
        }

        metadata.Drop(ServerMetadata);
        if (metadata["annotations"] is JsonObject annotations)
        {
            annotations.Drop(ControllerAnnotations);
            if (IsElsewhere)
            {
                annotations.Remove(LastApplied);
            }

            metadata.DropEmpty("annotations");
        }

        // Controllers add theirs again. One that nobody serves any more would keep the object from ever being deleted; what its owner declared is his.
        if (metadata["finalizers"] is not null)
        {
            metadata.Remove("finalizers");
            if (!IsElsewhere && resource.IsCustom && declared.At("metadata", "finalizers") is JsonArray own)
            {
                metadata["finalizers"] = own.DeepClone();
            }
        }
    }

    private static void CleanService(JsonObject value, JsonObject? declared, string fields, Action<string>? note)
    {
        if (value["spec"] is not JsonObject spec)
        {
            return;
        }

        if (spec.Text("clusterIP") is not "None")
        {
            if (declared.Text("spec", "clusterIP") is { Length: > 0 } asked)
            {
                note?.Invoke($"services/{value.Name()} asked for the address {asked}; it gets one of the cluster's choice.");
            }

            spec.Drop("clusterIP", "clusterIPs");
        }

        // Ports that the cluster chose may be taken elsewhere; those that somebody asked for are part of what he built.
        if (!Declares(declared, "nodePort") && !fields.Contains("\"f:nodePort\"", StringComparison.Ordinal))
        {
            foreach (var port in spec.Items("ports"))
            {
                port.Remove("nodePort");
            }
        }

        if (declared.At("spec", "healthCheckNodePort") is null && !fields.Contains("\"f:healthCheckNodePort\"", StringComparison.Ordinal))
        {
            spec.Remove("healthCheckNodePort");
        }
    }

    private static bool Declares(JsonObject? declared, string portField) => declared.Items("spec", "ports").Any(p => p.ContainsKey(portField));

    private static void CleanPod(JsonObject? spec)
    {
        if (spec is null)
        {
            return;
        }

        spec.Drop("nodeName", "priority", "preemptionPolicy", "ephemeralContainers");
        var tokens = spec.Items("volumes").Select(v => v.Text("name") ?? "").Where(n => n.StartsWith("kube-api-access-", StringComparison.Ordinal)).ToHashSet();
        RemoveFrom(spec["volumes"] as JsonArray, v => tokens.Contains(v.Text("name") ?? ""));
        foreach (var container in spec.Items("containers").Concat(spec.Items("initContainers")))
        {
            RemoveFrom(container["volumeMounts"] as JsonArray, m => tokens.Contains(m.Text("name") ?? ""));
            container.DropEmpty("volumeMounts");
        }

        spec.DropEmpty("volumes");
    }

    /// <summary>Selector and labels name the old Job by its uid, and a new one that brings them is refused.</summary>
    private static void CleanJob(JsonObject value)
    {
        if (value.IsTrue("spec", "manualSelector"))
        {
            return;
        }

        string[] labels = ["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"];
        value["spec"].Drop("selector", "manualSelector");
        foreach (var metadata in new[] { value["metadata"], value.At("spec", "template", "metadata") }.OfType<JsonObject>())
        {
            metadata["labels"].Drop(labels);
            metadata.DropEmpty("labels");
        }
    }

    /// <summary>The claim's name stays, so that no other claim takes the data; its uid is of a claim that is no more.</summary>
    private void CleanVolume(JsonObject value)
    {
        if (value.At("spec", "claimRef") is JsonObject claim)
        {
            claim.Drop("uid", "resourceVersion");
            if (claim.Text("namespace") == From)
            {
                claim["namespace"] = To;
            }
        }
    }

    private static void CleanAccount(JsonObject value)
    {
        RemoveFrom(value["secrets"] as JsonArray, s => s.Text("name") is { } name
            && (name.StartsWith(value.Name() + "-token-", StringComparison.Ordinal) || name.StartsWith(value.Name() + "-dockercfg-", StringComparison.Ordinal)));
        value.DropEmpty("secrets");
    }

    private void Move(ApiResource resource, JsonObject value, Action<string>? note)
    {
        if (value.Namespace() is not null)
        {
            value["metadata"]!["namespace"] = To;
        }

        if (resource.Name == Kinds.Namespaces)
        {
            value["metadata"]!["name"] = To;
        }

        foreach (var subject in value.Items("subjects").Where(s => s.Text("namespace") == From))
        {
            subject["namespace"] = To;
        }

        if (resource.Name == Kinds.ClusterRoleBindings)
        {
            // The original goes on to bind the original's accounts.
            value["metadata"]!["name"] = $"{value.Name()}-{To}";
        }

        if (resource.Name == "networkpolicies.networking.k8s.io")
        {
            MoveSelectors(value["spec"]);
        }

        foreach (var (path, text) in Mentions(value, ""))
        {
            note?.Invoke($"{resource.Name}/{value.Name()} names a service of the namespace {From} in {path}: {text}. It still does.");
        }
    }

    private void MoveSelectors(JsonNode? value)
    {
        switch (value)
        {
            case JsonObject map:
                if (map.At("namespaceSelector", "matchLabels") is JsonObject labels && labels.Text("kubernetes.io/metadata.name") == From)
                {
                    labels["kubernetes.io/metadata.name"] = To;
                }

                foreach (var (_, child) in map)
                {
                    MoveSelectors(child);
                }

                break;
            case JsonArray list:
                foreach (var item in list)
                {
                    MoveSelectors(item);
                }

                break;
        }
    }

    /// <summary>Texts that name a service by its namespace: <c>postgres.nlds.svc</c>. What is base64 is not looked into.</summary>
    private IEnumerable<(string Path, string Text)> Mentions(JsonNode? value, string path)
    {
        switch (value)
        {
            case JsonObject map:
                return map.ToList().SelectMany(f => Mentions(f.Value, path.Length == 0 ? f.Key : $"{path}.{f.Key}"));
            case JsonArray list:
                return list.ToList().SelectMany((item, index) => Mentions(item, $"{path}[{index}]"));
            case JsonValue leaf when leaf.GetValueKind() == System.Text.Json.JsonValueKind.String && leaf.GetValue<string>() is var text:
                var at = text.IndexOf($".{From}.svc", StringComparison.Ordinal);
                return at < 0 ? [] : [(path, Around(text, at))];
            default:
                return [];
        }
    }

    private static string Around(string text, int at)
    {
        var start = text.AsSpan(0, at).LastIndexOfAny(Before) + 1;
        var length = text.AsSpan(at).IndexOfAny(Behind);
        return text[start..(length < 0 ? Math.Min(text.Length, at + 60) : at + length)];
    }

    private static void RemoveFrom(JsonArray? list, Func<JsonObject, bool> isUnwanted)
    {
        for (var i = (list?.Count ?? 0) - 1; i >= 0; i--)
        {
            if (list![i] is JsonObject item && isUnwanted(item))
            {
                list.RemoveAt(i);
            }
        }
    }

    private static JsonObject? Parse(string json)
    {
        try
        {
            return JsonNode.Parse(json, documentOptions: JsonPaths.Strict) as JsonObject;
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }
}
