using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary>Which objects of the cluster the objects of a namespace name, gathered while they pass. May be used from any thread.</summary>
internal sealed class References
{
    private readonly Lock gate = new();
    private readonly HashSet<(string Kind, string Name)> named = [];

    public IReadOnlyList<(string Kind, string Name)> Named
    {
        get
        {
            lock (gate)
            {
                return [.. named.OrderBy(n => n.Kind, StringComparer.Ordinal).ThenBy(n => n.Name, StringComparer.Ordinal)];
            }
        }
    }

    public void Note(ApiResource resource, JsonObject value)
    {
        if (resource is { IsCustom: true })
        {
            Add(Kinds.Definitions, resource.Name);
        }

        switch (resource.Name)
        {
            case Kinds.Claims:
                Add(Kinds.Volumes, value.Text("spec", "volumeName"));
                Add(Kinds.StorageClasses, value.Text("spec", "storageClassName"));
                break;
            case Kinds.Volumes:
                Add(Kinds.StorageClasses, value.Text("spec", "storageClassName"));
                break;
            case Kinds.Ingresses:
                Add(Kinds.IngressClasses, value.Text("spec", "ingressClassName"));
                break;
            case "rolebindings.rbac.authorization.k8s.io" or Kinds.ClusterRoleBindings when value.Text("roleRef", "kind") == "ClusterRole":
                Add(Kinds.ClusterRoles, value.Text("roleRef", "name"));
                break;
            case "certificates.cert-manager.io" when value.Text("spec", "issuerRef", "kind") == "ClusterIssuer":
                Add("clusterissuers.cert-manager.io", value.Text("spec", "issuerRef", "name"));
                break;
            case "clusterissuers.cert-manager.io":
                Add(Kinds.Definitions, resource.Name);
                break;
        }

        foreach (var template in new[] { value.At("spec"), value.At("spec", "template", "spec"), value.At("spec", "jobTemplate", "spec", "template", "spec"), value.At("template", "spec") })
        {
            Add(Kinds.PriorityClasses, template.Text("priorityClassName") is { } priority && !priority.StartsWith("system-", StringComparison.Ordinal) ? priority : null);
            Add(Kinds.RuntimeClasses, template.Text("runtimeClassName"));
        }

        foreach (var claim in value.Items("spec", "volumeClaimTemplates"))
        {
            Add(Kinds.StorageClasses, claim.Text("spec", "storageClassName"));
        }
    }

    private void Add(string kind, string? name)
    {
        if (name is { Length: > 0 })
        {
            lock (gate)
            {
                named.Add((kind, name));
            }
        }
    }
}
