using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>Where the pods of an object are described.</summary>
internal static class Templates
{
    /// <returns>What has a pod's metadata and spec; null where the kind makes no pods.</returns>
    public static JsonObject? Of(string resource, JsonObject value) => resource switch
    {
        "pods" => value,
        "podtemplates" => value["template"] as JsonObject,
        "cronjobs.batch" => value.At("spec", "jobTemplate", "spec", "template") as JsonObject,
        "statefulsets.apps" or "deployments.apps" or "replicasets.apps" or "daemonsets.apps" or "replicationcontrollers" or Kinds.Jobs => value.At("spec", "template") as JsonObject,
        _ => null,
    };
}
