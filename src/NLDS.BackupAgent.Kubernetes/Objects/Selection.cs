using NLDS.BackupAgent.Kubernetes.Api;

namespace NLDS.BackupAgent.Kubernetes.Objects;

/// <summary>Which kinds the configuration wants.</summary>
internal static class Selection
{
    public static bool Wants(KubernetesOptions options, ApiResource resource) =>
        (options.Include.Count == 0 || options.Include.Any(p => Matches(p, resource))) && !options.Exclude.Any(p => Matches(p, resource));

    private static bool Matches(string pattern, ApiResource resource) =>
        pattern == resource.Name || pattern == resource.Plural || (pattern.StartsWith("*.", StringComparison.Ordinal) && resource.Group == pattern[2..]);
}
