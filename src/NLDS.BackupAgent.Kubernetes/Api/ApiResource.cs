namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>A kind of object as the API server serves it.</summary>
/// <param name="Group">Empty for the core.</param>
/// <param name="Plural">As paths name it: <c>deployments</c>.</param>
/// <param name="Kind">As objects name it: <c>Deployment</c>.</param>
internal sealed record ApiResource(string Group, string Version, string Plural, string Kind, bool IsNamespaced, IReadOnlySet<string> Verbs)
{
    private static readonly string[] Restorable = ["list", "get", "create", "delete"];

    /// <summary>Its status has a door of its own, and is ignored at the front door.</summary>
    public bool HasStatus { get; init; }

    public string GroupVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>As kubectl and RBAC name it: <c>deployments.apps</c>, <c>configmaps</c>.</summary>
    public string Name => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>What can be read here and made anew: not a review, not a measurement.</summary>
    public bool IsRestorable => Restorable.All(Verbs.Contains);

    /// <summary>Defined by somebody, not part of Kubernetes.</summary>
    public bool IsCustom => Group.Contains('.', StringComparison.Ordinal) && !Group.EndsWith(".k8s.io", StringComparison.Ordinal);

    /// <summary>The path of its collection, of a namespace or of the whole cluster.</summary>
    public string Path(string? ns)
    {
        var root = Group.Length == 0 ? $"api/{Version}" : $"apis/{Group}/{Version}";
        return IsNamespaced && ns is not null ? $"{root}/namespaces/{ns}/{Plural}" : $"{root}/{Plural}";
    }

    public string Path(string? ns, string name) => $"{Path(ns)}/{Uri.EscapeDataString(name)}";

    public override string ToString() => Name;
}
