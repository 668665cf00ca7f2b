namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>Finds the API server: what the configuration names, or else the pod's own, or else what kubectl would use.</summary>
internal static class ClusterConnections
{
    public static ClusterConnection Find(KubernetesOptions options, TimeProvider clock) => Find(options, clock, Environment.GetEnvironmentVariable);

    public static ClusterConnection Find(KubernetesOptions options, TimeProvider clock, Func<string, string?> environment)
    {
        if (options.Kubeconfig is { Length: > 0 } named)
        {
            return Kubeconfig.Read([named], options.Context, clock);
        }

        if (options.Context is null && InCluster.Find(environment, clock) is { } pod)
        {
            return pod;
        }

        var paths = environment("KUBECONFIG") is { Length: > 0 } list
            ? list.Split(':', StringSplitOptions.RemoveEmptyEntries)
            : [Path.Combine(environment("HOME") ?? "/root", ".kube", "config")];
        return Kubeconfig.Read(paths, options.Context, clock);
    }
}
