using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>A namespace as it is compared: what was declared, without what a cluster gives and counts.</summary>
public static class Declared
{
    private static readonly string[] Generated = ["events", "events.events.k8s.io", "leases.coordination.k8s.io", "controllerrevisions.apps", "endpointslices.discovery.k8s.io"];

    /// <summary>The agent's own label of what it restored.</summary>
    private const string RestoredFrom = "backup.nlds.io/restored-from";

    /// <returns>By resource and name.</returns>
    public static Dictionary<string, JsonObject> Of(ApiServerDouble server, string ns)
    {
        var found = new Dictionary<string, JsonObject>();
        foreach (var resource in server.Resources(ns).Except(Generated))
        {
            foreach (var value in server.List(resource, ns).Where(v => IsDeclared(resource, v)))
            {
                found[$"{resource}/{value["metadata"]!["name"]}"] = Normal(resource, value);
            }
        }

        return found;
    }

    private static bool IsDeclared(string resource, JsonObject value) =>
        value["metadata"]!["ownerReferences"] is null
        && value["metadata"]!["annotations"]?["endpoints.kubernetes.io/last-change-trigger-time"] is null
        && value["metadata"]!["name"]!.GetValue<string>() != "kube-root-ca.crt"
        && !(resource == "serviceaccounts" && value["metadata"]!["name"]!.GetValue<string>() == "default");

    private static JsonObject Normal(string resource, JsonObject value)
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

        (metadata["labels"] as JsonObject)?.Remove(RestoredFrom);
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

        return copy;
    }
}
