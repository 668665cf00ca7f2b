namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>A namespace that is made for one drill and deleted behind it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Of">The namespace that is rehearsed; only its drills may delete it.</param>
/// <param name="Drill">The drill's id.</param>
public sealed record ScratchNamespace(string Name, string Of, string Drill)
{
    /// <summary>Where the object store is, as networks: <c>10.1.0.0/16</c>.</summary>
    public IReadOnlyList<string> StoreNetworks { get; init; } = [];

    public IReadOnlyList<int> StorePorts { get; init; } = [];

    /// <summary>Where the cluster's name servers run.</summary>
    public string DnsNamespace { get; init; } = "kube-system";
}
