using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>
/// What of a backup is made in a scratch namespace, and how: nothing that is seen or felt outside of it. Kinds are let in by name, because whatever is not known may have
/// a controller that acts on the world. Pure.
/// </summary>
internal static class RehearsalRules
{
    public const string PolicyKind = "networkpolicies.networking.k8s.io";

    private static readonly HashSet<string> Kept =
    [
        "serviceaccounts", Kinds.Secrets, "configmaps", Kinds.Claims, Kinds.Services, "podtemplates", "replicationcontrollers", "statefulsets.apps", "deployments.apps",
        "replicasets.apps", "pods", Kinds.Jobs, "cronjobs.batch", "limitranges", "resourcequotas",
    ];

    /// <summary>They publish names, or ask for addresses, at somebody outside of the cluster.</summary>
    private static readonly string[] OutwardService =
        ["externalIPs", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort"];

    /// <returns>Why it is not made; null when it is.</returns>
    public static string? Refuse(ApiResource resource, JsonObject raw) => resource.Name switch
    {
        _ when !resource.IsNamespaced => "a drill leaves alone what is the cluster's",
        PolicyKind => "what policies let through, the drill's own could not hold back",
        Kinds.Ingresses => "it would lead requests for the original to the copy",
        "roles.rbac.authorization.k8s.io" or "rolebindings.rbac.authorization.k8s.io" => "the accounts of a copy have no rights",
        "horizontalpodautoscalers.autoscaling" or "poddisruptionbudgets.policy" => "a copy has no load, and holds up no node",
        "daemonsets.apps" => "it would run on every node once more",
        Kinds.Services when raw.Text("spec", "type") == "ExternalName" => $"it leads out of the namespace, to {raw.Text("spec", "externalName")}",
        Kinds.Secrets when raw.Text("type") == "kubernetes.io/service-account-token" => "the accounts of a copy have no rights",
        _ when !Kept.Contains(resource.Name) => "whatever acts on it is not held by the scratch namespace",
        _ => Templates.Of(resource.Name, raw) is { } pod ? UsesNode(pod) : null,
    };

    /// <summary>Takes away what reaches out, and what would disturb the original.</summary>
    public static void Apply(ApiResource resource, JsonObject value, AgentContainers agents)
    {
        value["metadata"].At("annotations").DropOutward();
        switch (resource.Name)
        {
            case Kinds.Services:
                CloseService(value);
                break;
            case Kinds.Claims:
                TakeNewVolume(value["spec"]);
                break;
            case "cronjobs.batch" or Kinds.Jobs:
                value["spec"]!["suspend"] = true;
                break;
            case "statefulsets.apps":
                foreach (var claim in value.Items("spec", "volumeClaimTemplates"))
                {
                    TakeNewVolume(claim["spec"]);
                }

                break;
        }

        if (Templates.Of(resource.Name, value) is { } pod)
        {
            pod["metadata"].At("annotations").DropOutward();
            ClosePod(pod, agents);
        }
    }

    private static void CloseService(JsonObject value)
    {
        value["metadata"].Drop("annotations");
        var spec = value["spec"]!.AsObject();
        if (spec.Text("type") is "LoadBalancer" or "NodePort")
        {
            spec["type"] = "ClusterIP";
        }

        spec.Drop(OutwardService);
        foreach (var port in spec.Items("ports"))
        {
            port.Remove("nodePort");
        }
    }

    private static void TakeNewVolume(JsonNode? claim) => claim.Drop("volumeName", "selector", "dataSource", "dataSourceRef");

    private static string? UsesNode(JsonObject pod) =>
        pod.IsTrue("spec", "hostNetwork") || pod.IsTrue("spec", "hostPID") || pod.IsTrue("spec", "hostIPC") || pod.Items("spec", "volumes").Any(volume => volume["hostPath"] is not null)
            ? "it uses the node itself, which no policy of a namespace holds"
            : null;

    private static void ClosePod(JsonObject pod, AgentContainers agents)
    {
        if (pod["spec"] is not JsonObject spec)
        {
            return;
        }

        // A copy of what is important must not push the original off its node.
        spec.Drop("priorityClassName", "priority", "preemptionPolicy");
        spec["automountServiceAccountToken"] = false;
        if (agents.Restrain(spec))
        {
            var metadata = (pod["metadata"] ??= new JsonObject()).AsObject();
            (metadata["labels"] ??= new JsonObject())[ScratchNamespaces.ReadsStore] = "true";
        }
    }

    /// <summary>By them somebody publishes a name for the object, or asks it for its metrics and sounds an alarm.</summary>
    private static void DropOutward(this JsonNode? annotations)
    {
        foreach (var name in (annotations as JsonObject ?? []).Select(annotation => annotation.Key).ToList())
        {
            if (name.StartsWith("prometheus.io/", StringComparison.Ordinal) || name.StartsWith("external-dns.", StringComparison.Ordinal))
            {
                annotations.Drop(name);
            }
        }
    }
}
