using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Kubernetes.Objects;

/// <summary>What the agent knows of kinds by their names: which are worth keeping, where they belong, and in which order they come back.</summary>
internal static class Kinds
{
    public const string Namespaces = "namespaces";
    public const string Secrets = "secrets";
    public const string Volumes = "persistentvolumes";
    public const string Claims = "persistentvolumeclaims";
    public const string Services = "services";
    public const string Jobs = "jobs.batch";
    public const string Definitions = "customresourcedefinitions.apiextensions.k8s.io";
    public const string ClusterRoles = "clusterroles.rbac.authorization.k8s.io";
    public const string ClusterRoleBindings = "clusterrolebindings.rbac.authorization.k8s.io";
    public const string StorageClasses = "storageclasses.storage.k8s.io";
    public const string PriorityClasses = "priorityclasses.scheduling.k8s.io";
    public const string IngressClasses = "ingressclasses.networking.k8s.io";
    public const string RuntimeClasses = "runtimeclasses.node.k8s.io";
    public const string Ingresses = "ingresses.networking.k8s.io";
    public const string ValidatingWebhooks = "validatingwebhookconfigurations.admissionregistration.k8s.io";
    public const string MutatingWebhooks = "mutatingwebhookconfigurations.admissionregistration.k8s.io";
    public const string ApiServices = "apiservices.apiregistration.k8s.io";

    /// <summary>Made by the cluster for itself, or of the moment: never worth keeping.</summary>
    private static readonly HashSet<string> Passing =
    [
        "events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses", "bindings", "controllerrevisions.apps", "csistoragecapacities.storage.k8s.io",
        "certificaterequests.cert-manager.io", "orders.acme.cert-manager.io", "challenges.acme.cert-manager.io", "podmetrics.metrics.k8s.io", "pods.metrics.k8s.io",
    ];

    /// <summary>Secrets before the certificates that would else be issued anew, claims before what mounts them, services before what reads their addresses at its start.</summary>
    private static readonly string[][] Order =
    [
        [Definitions],
        [Namespaces],
        [PriorityClasses, StorageClasses, RuntimeClasses, IngressClasses],
        ["serviceaccounts"],
        [Secrets],
        ["configmaps"],
        [ClusterRoles, "roles.rbac.authorization.k8s.io"],
        [ClusterRoleBindings, "rolebindings.rbac.authorization.k8s.io"],
        [Volumes],
        [Claims],
        ["networkpolicies.networking.k8s.io"],
        [Services, "endpoints", "endpointslices.discovery.k8s.io"],
        ["clusterissuers.cert-manager.io", "issuers.cert-manager.io"],
        ["certificates.cert-manager.io"],
        ["*"],
        ["podtemplates", "replicationcontrollers", "statefulsets.apps", "deployments.apps", "daemonsets.apps", "replicasets.apps", "pods"],
        [Jobs, "cronjobs.batch"],
        ["horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy"],
        [Ingresses],
        ["limitranges", "resourcequotas"],
        [ValidatingWebhooks, MutatingWebhooks, ApiServices],
    ];

    private static readonly Dictionary<string, int> Places =
        Order.SelectMany((kinds, place) => kinds.Select(kind => (kind, place))).ToDictionary(k => k.kind, k => k.place);

    private static readonly HashSet<string> Rbac = ["roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "serviceaccounts", ClusterRoles, ClusterRoleBindings];

    private static readonly HashSet<string> OfTheCluster =
        [Definitions, Namespaces, PriorityClasses, RuntimeClasses, IngressClasses, ValidatingWebhooks, MutatingWebhooks, ApiServices];

    /// <summary>Kinds whose objects an owner makes again, so that they are not kept beside it. Data that something made once (a password in a Secret) is not of them.</summary>
    private static readonly HashSet<string> Data = [Secrets, "configmaps", Claims];

    public static bool IsPassing(string resource) => Passing.Contains(resource);

    /// <summary>Where in a restore it comes; lower is earlier.</summary>
    public static int PlaceOf(string resource) => Places.TryGetValue(resource, out var place) ? place : Places["*"];

    public static int PlaceCount => Order.Length;

    /// <summary>Which of the files that are made to be applied by hand it stands in; the strategy document's names.</summary>
    public static string FileOf(string resource) => resource switch
    {
        _ when Rbac.Contains(resource) => "nlds-rbac.yaml",
        _ when OfTheCluster.Contains(resource) => "nlds-cluster.yaml",
        "networkpolicies.networking.k8s.io" => "nlds-network.yaml",
        Volumes or StorageClasses => "nlds-pv.yaml",
        _ when resource.EndsWith(".cert-manager.io", StringComparison.Ordinal) => "nlds-certs.yaml",
        _ => "nlds-resources.yaml",
    };

    /// <summary>Why an object is not kept, in a few words that are counted; null for one that is.</summary>
    /// <param name="isKept">Whether a kind is in the backup: what an owner in it makes again need not be.</param>
    public static string? Skip(string resource, JsonObject value, Func<string, string, bool> isKept)
    {
        if (value.At("metadata", "deletionTimestamp") is not null && resource != Namespaces)
        {
            return "being deleted";
        }

        if (value.Items("metadata", "ownerReferences").FirstOrDefault(o => o.IsTrue("controller")) is { } owner
            && !Data.Contains(resource)
            && isKept(owner.Text("apiVersion") ?? "", owner.Text("kind") ?? ""))
        {
            return "made by their owner";
        }

        return (resource, value.Name()) switch
        {
            ("configmaps", "kube-root-ca.crt" or "openshift-service-ca.crt") => "made by the cluster",
            ("endpoints", _) when value.At("metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time") is not null => "made by the cluster",
            ("endpointslices.discovery.k8s.io", _) when (value.Text("metadata", "labels", "endpointslice.kubernetes.io/managed-by") ?? "").EndsWith(".k8s.io", StringComparison.Ordinal) => "made by the cluster",
            ("pods", _) when value.At("metadata", "annotations", "kubernetes.io/config.mirror") is not null => "made by the cluster",
            ("pods", _) when value.Text("status", "phase") is "Succeeded" or "Failed" => "finished",
            _ => null,
        };
    }

    /// <summary>A Job that has run to its end: done again, it would do again what it did.</summary>
    public static bool IsFinishedJob(string resource, JsonObject value) =>
        resource == Jobs && value.Items("status", "conditions").Any(c => c.Text("type") is "Complete" or "Failed" && c.Text("status") == "True");
}
