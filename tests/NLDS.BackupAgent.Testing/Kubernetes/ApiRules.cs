using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>What the server's own code completes and refuses, kind by kind: as far as it was recorded.</summary>
internal sealed partial class ApiRules(ApiObjects objects)
{
    private const string NameRule =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    private static readonly string[] WithGeneration =
        ["apps", "batch", "networking.k8s.io", "policy", "apiextensions.k8s.io", "admissionregistration.k8s.io"];

    private static readonly Dictionary<string, string[]> TopLevel = new()
    {
        ["ConfigMap"] = ["data", "binaryData", "immutable"],
        ["Secret"] = ["data", "stringData", "type", "immutable"],
    };

    private int allocated;

    public static bool HasGeneration(ApiKind kind) => kind.IsCustom || WithGeneration.Contains(kind.Group);

    /// <summary>Fields that the kind does not have; they are dropped, warned of or refused.</summary>
    public static IReadOnlyList<string> Unknown(ApiKind kind, JsonObject value) => TopLevel.TryGetValue(kind.Kind, out var known)
        ? [.. value.Select(f => f.Key).Where(f => f is not ("apiVersion" or "kind" or "metadata") && !known.Contains(f))]
        : [];

    public void Complete(ApiKind kind, JsonObject value, JsonObject? live)
    {
        switch (kind.Qualified)
        {
            case "services":
                CompleteService(value, live);
                break;
            case "jobs.batch":
                CompleteJob(kind, value, live);
                break;
            case "namespaces":
                value["metadata"]!["labels"] ??= new JsonObject();
                value["metadata"]!["labels"]!["kubernetes.io/metadata.name"] = value["metadata"]!["name"]!.DeepClone();
                if (live is null)
                {
                    value["spec"] = new JsonObject { ["finalizers"] = new JsonArray("kubernetes") };
                    value["status"] = new JsonObject { ["phase"] = "Active" };
                }

                break;
            case "secrets":
                if (value["stringData"] is JsonObject text)
                {
                    value["data"] ??= new JsonObject();
                    foreach (var (name, plain) in text)
                    {
                        value["data"]![name] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(plain!.GetValue<string>()));
                    }

                    value.Remove("stringData");
                }

                value["type"] ??= "Opaque";
                break;
            default:
                if (ApiSchema.Find(objects, kind)?["schema"]?["openAPIV3Schema"] is JsonObject schema)
                {
                    ApiSchema.Default(schema, value);
                }

                break;
        }
    }

    public void CheckCreate(ApiKind kind, string? ns, JsonObject value)
    {
        var name = value["metadata"]!["name"]!.GetValue<string>();
        if (kind.Qualified is not ("clusterroles.rbac.authorization.k8s.io" or "clusterrolebindings.rbac.authorization.k8s.io" or "roles.rbac.authorization.k8s.io" or "rolebindings.rbac.authorization.k8s.io")
            && !SubdomainPattern().IsMatch(name))
        {
            throw ApiStatus.Invalid(kind, name, ("FieldValueInvalid", $"Invalid value: \"{name}\": {NameRule}", "metadata.name"));
        }

        CheckSchema(kind, value, null);
        switch (kind.Qualified)
        {
            case "services":
                CheckService(kind, ns!, name, value);
                break;
            case "persistentvolumeclaims":
                CheckClaim(kind, ns!, name, value);
                break;
            case "pods":
                CheckPod(kind, ns!, name, value);
                break;
        }
    }

    public void CheckUpdate(ApiKind kind, JsonObject live, JsonObject next)
    {
        var name = live["metadata"]!["name"]!.GetValue<string>();
        CheckSchema(kind, next, live);
        switch (kind.Qualified)
        {
            case "configmaps" or "secrets" when live["immutable"]?.GetValue<bool>() == true:
                foreach (var field in new[] { "data", "binaryData" }.Where(f => Differs(live, next, f)))
                {
                    throw ApiStatus.Invalid(kind, name, ("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", field));
                }

                break;
            case "deployments.apps" or "daemonsets.apps" or "replicasets.apps" when !JsonNode.DeepEquals(live["spec"]?["selector"], next["spec"]?["selector"]):
                throw ApiStatus.Invalid(kind, name, ("FieldValueInvalid", $"Invalid value: {Go(next["spec"]?["selector"])}: field is immutable", "spec.selector"));
            case "statefulsets.apps" when Strip(live, "replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds") is var before
                && !JsonNode.DeepEquals(before, Strip(next, "replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds")):
                throw ApiStatus.Invalid(kind, name, (
                    "FieldValueForbidden",
                    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
                    "spec"));
            case "persistentvolumeclaims" when !JsonNode.DeepEquals(Strip(live, "resources", "volumeName", "volumeAttributesClassName"), Strip(next, "resources", "volumeName", "volumeAttributesClassName")):
                throw ApiStatus.Invalid(kind, name, (
                    "FieldValueForbidden", "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims", "spec"));
            case "rolebindings.rbac.authorization.k8s.io" or "clusterrolebindings.rbac.authorization.k8s.io" when !JsonNode.DeepEquals(live["roleRef"], next["roleRef"]):
                var role = next["roleRef"]!;
                throw ApiStatus.Invalid(kind, name, (
                    "FieldValueInvalid",
                    $"Invalid value: rbac.RoleRef{{APIGroup:\"{role["apiGroup"]}\", Kind:\"{role["kind"]}\", Name:\"{role["name"]}\"}}: cannot change roleRef",
                    "roleRef"));
            case "jobs.batch" when !JsonNode.DeepEquals(live["spec"]?["template"], next["spec"]?["template"]) || !JsonNode.DeepEquals(live["spec"]?["selector"], next["spec"]?["selector"]):
                throw ApiStatus.Invalid(kind, name, ("FieldValueInvalid", "Invalid value: field is immutable", "spec.template"));
            case "secrets" when Differs(live, next, "type"):
                throw ApiStatus.Invalid(kind, name, ("FieldValueInvalid", $"Invalid value: \"{next["type"]}\": field is immutable", "type"));
        }
    }

    /// <summary>Labels and selector of a Job that asks for none carry its own uid; one that brings another's is refused.</summary>
    private static void CompleteJob(ApiKind kind, JsonObject value, JsonObject? live)
    {
        var spec = value["spec"]!.AsObject();
        if (live is not null || spec["manualSelector"]?.GetValue<bool>() == true)
        {
            return;
        }

        var (name, uid) = (value["metadata"]!["name"]!.GetValue<string>(), value["metadata"]!["uid"]!.GetValue<string>());
        spec["template"]!["metadata"] ??= new JsonObject();
        var labels = spec["template"]!["metadata"]!["labels"] as JsonObject ?? [];
        if (spec["selector"] is { } selector)
        {
            var brought = labels["batch.kubernetes.io/controller-uid"]?.GetValue<string>();
            var shown = $"map[string]string{{\"batch.kubernetes.io/controller-uid\":\"{brought}\", \"batch.kubernetes.io/job-name\":\"{name}\", \"controller-uid\":\"{uid}\", \"job-name\":\"{name}\"}}";
            throw ApiStatus.Invalid(
                kind,
                name,
                ("FieldValueInvalid", $"Invalid value: {shown}: must be '{uid}'", "spec.template.metadata.labels[batch.kubernetes.io/controller-uid]"),
                ("FieldValueInvalid", $"Invalid value: {Go(selector)}: `selector` not auto-generated", "spec.selector"));
        }

        foreach (var (label, text) in new[] { ("batch.kubernetes.io/controller-uid", uid), ("batch.kubernetes.io/job-name", name), ("controller-uid", uid), ("job-name", name) })
        {
            labels[label] = text;
        }

        spec["template"]!["metadata"]!["labels"] = labels.DeepClone();
        spec["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["batch.kubernetes.io/controller-uid"] = uid } };
        spec["manualSelector"] = false;
    }

    private void CompleteService(JsonObject value, JsonObject? live)
    {
        var spec = value["spec"]!.AsObject();
        spec["type"] ??= "ClusterIP";
        spec["sessionAffinity"] ??= "None";
        var type = spec["type"]!.GetValue<string>();
        foreach (var port in spec["ports"]?.AsArray() ?? [])
        {
            port!["protocol"] ??= "TCP";
            port["targetPort"] ??= port["port"]!.DeepClone();
        }

        if (type == "ExternalName")
        {
            return;
        }

        spec["internalTrafficPolicy"] ??= "Cluster";
        spec["ipFamilies"] ??= new JsonArray("IPv4");
        spec["ipFamilyPolicy"] ??= "SingleStack";
        if (spec["clusterIP"] is null)
        {
            spec["clusterIP"] = live?["spec"]?["clusterIP"]?.DeepClone() ?? Address();
        }

        spec["clusterIPs"] ??= new JsonArray(spec["clusterIP"]!.DeepClone());
        if (type is not ("NodePort" or "LoadBalancer"))
        {
            return;
        }

        spec["externalTrafficPolicy"] ??= "Cluster";
        if (type == "LoadBalancer")
        {
            spec["allocateLoadBalancerNodePorts"] ??= true;
        }

        foreach (var port in spec["ports"]!.AsArray())
        {
            if (port!["nodePort"] is null)
            {
                port["nodePort"] = (live?["spec"]?["ports"]?.AsArray().FirstOrDefault(p => JsonNode.DeepEquals(p!["port"], port["port"]))?["nodePort"])?.DeepClone() ?? 31100 + (allocated++ % 1500);
            }
        }

        if (type == "LoadBalancer" && spec["externalTrafficPolicy"]!.GetValue<string>() == "Local")
        {
            spec["healthCheckNodePort"] ??= live?["spec"]?["healthCheckNodePort"]?.DeepClone() ?? 32600 + (allocated++ % 100);
        }
    }

    private string Address()
    {
        allocated++;
        return string.Create(CultureInfo.InvariantCulture, $"10.96.{100 + (allocated / 250 % 100)}.{1 + (allocated % 250)}");
    }

    private void CheckService(ApiKind kind, string ns, string name, JsonObject value)
    {
        var spec = value["spec"]!.AsObject();
        var others = objects.List("services", null).Select(o => o.Value).Where(o => Path(o, "metadata", "name") != name || Path(o, "metadata", "namespace") != ns).ToList();
        if (spec["clusterIP"]?.GetValue<string>() is { Length: > 0 } address and not "None")
        {
            var why = !address.StartsWith("10.96.", StringComparison.Ordinal)
                ? $"the provided IP ({address}) is not in the valid range. The range of valid IPs is 10.96.0.0/16"
                : others.Any(o => Path(o, "spec", "clusterIP") == address) ? "provided IP is already allocated" : null;
            if (why is not null)
            {
                throw ApiStatus.Invalid(kind, name, ("FieldValueInvalid", $"Invalid value: []string{{\"{address}\"}}: failed to allocate IP {address}: {why}", "spec.clusterIPs"));
            }
        }

        var ports = spec["ports"]?.AsArray() ?? [];
        for (var i = 0; i < ports.Count; i++)
        {
            if (ports[i]!["nodePort"]?.GetValue<int>() is { } port && others.Any(o => (o["spec"]?["ports"]?.AsArray() ?? []).Any(p => p!["nodePort"]?.GetValue<int>() == port)))
            {
                throw ApiStatus.Invalid(kind, name, ("FieldValueInvalid", $"Invalid value: {port}: provided port is already allocated", $"spec.ports[{i}].nodePort"));
            }
        }

        // A load balancer that needs no node ports of its own is counted too; the recorded quota was reached by NodePort services.
        var wanted = spec["type"]?.GetValue<string>() is "NodePort" or "LoadBalancer" ? ports.Count : 0;
        foreach (var (_, quota) in objects.List("resourcequotas", ns))
        {
            if (wanted > 0 && quota["spec"]?["hard"]?["services.nodeports"] is { } limit)
            {
                var used = others.Where(o => Path(o, "metadata", "namespace") == ns).Sum(o => (o["spec"]?["ports"]?.AsArray() ?? []).Count(p => p!["nodePort"] is not null));
                if (used + wanted > int.Parse(limit.GetValue<string>(), CultureInfo.InvariantCulture))
                {
                    throw ApiStatus.Forbidden(kind, name, $"exceeded quota: {Path(quota, "metadata", "name")}, requested: services.nodeports={wanted}, used: services.nodeports={used}, limited: services.nodeports={limit}");
                }
            }
        }
    }

    private void CheckClaim(ApiKind kind, string ns, string name, JsonObject value)
    {
        var request = value["spec"]?["resources"]?["requests"]?["storage"]?.GetValue<string>();
        foreach (var limit in objects.List("limitranges", ns).SelectMany(l => l.Value["spec"]!["limits"]!.AsArray()).Where(l => Path(l, "type") == "PersistentVolumeClaim"))
        {
            if (request is not null && limit!["min"]?["storage"]?.GetValue<string>() is { } least && Bytes(request) < Bytes(least))
            {
                throw ApiStatus.Forbidden(kind, name, $"minimum storage usage per PersistentVolumeClaim is {least}, but request is {request}");
            }
        }
    }

    private void CheckPod(ApiKind kind, string ns, string name, JsonObject value)
    {
        if (objects.Get("namespaces", null, ns)?["metadata"]?["labels"]?["pod-security.kubernetes.io/enforce"]?.GetValue<string>() is not ("baseline" or "restricted"))
        {
            return;
        }

        var faults = new List<string>();
        if (value["spec"]?["hostNetwork"]?.GetValue<bool>() == true)
        {
            faults.Add("host namespaces (hostNetwork=true)");
        }

        faults.AddRange((value["spec"]?["containers"]?.AsArray() ?? []).Where(c => c!["securityContext"]?["privileged"]?.GetValue<bool>() == true)
            .Select(c => $"privileged (container \"{c!["name"]}\" must not set securityContext.privileged=true)"));
        if (faults.Count > 0)
        {
            throw ApiStatus.Forbidden(kind, name, $"violates PodSecurity \"baseline:latest\": {string.Join(", ", faults)}");
        }
    }

    private void CheckSchema(ApiKind kind, JsonObject value, JsonObject? live)
    {
        if (ApiSchema.Find(objects, kind)?["schema"]?["openAPIV3Schema"] is JsonObject schema
            && ApiSchema.Check(schema, value, live, "").ToArray() is { Length: > 0 } faults)
        {
            throw ApiStatus.Invalid(kind, value["metadata"]!["name"]!.GetValue<string>(), faults);
        }
    }

    private static JsonObject? Strip(JsonObject value, params string[] fields)
    {
        var spec = value["spec"]?.DeepClone().AsObject();
        foreach (var field in fields)
        {
            spec?.Remove(field);
        }

        return spec;
    }

    private static bool Differs(JsonObject live, JsonObject next, string field) => !JsonNode.DeepEquals(live[field], next[field]);

    private static string? Path(JsonNode? value, params string[] path) =>
        path.Aggregate(value, (at, name) => at?[name]) is { } found && found.GetValueKind() == JsonValueKind.String ? found.GetValue<string>() : null;

    /// <summary>A label selector as Go prints it.</summary>
    private static string Go(JsonNode? selector) =>
        $"v1.LabelSelector{{MatchLabels:map[string]string{{{string.Join(", ", (selector?["matchLabels"]?.AsObject() ?? []).Select(l => $"\"{l.Key}\":\"{l.Value}\""))}}}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}";

    private static double Bytes(string quantity)
    {
        var number = double.Parse(quantity.TrimEnd('i', 'K', 'M', 'G', 'T'), CultureInfo.InvariantCulture);
        return number * quantity[quantity.AsSpan().IndexOfAnyExceptInRange('0', '9') is var at and >= 0 ? at.. : quantity.Length..] switch
        {
            "Ki" => 1024d,
            "Mi" => 1024d * 1024,
            "Gi" => 1024d * 1024 * 1024,
            "Ti" => 1024d * 1024 * 1024 * 1024,
            _ => 1d,
        };
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex SubdomainPattern();
}
