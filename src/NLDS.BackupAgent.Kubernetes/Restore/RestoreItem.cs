using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>One object as it is to be made.</summary>
/// <param name="Resource">Its kind as the backup knew it; the cluster that it goes to may serve another version.</param>
/// <param name="Namespace">Where it goes; null for an object of the cluster.</param>
internal sealed record RestoreItem(ApiResource Resource, string? Namespace, string Name, JsonObject Desired)
{
    /// <summary>Says what an object was restored from, in its labels.</summary>
    public const string Label = "backup.nlds.io/restored-from";

    /// <summary>There is one in every namespace before anybody makes it: what it says is laid over that.</summary>
    public bool IsAlwaysThere => Resource.Name == "serviceaccounts" && Name == "default";

    public int Place => Kinds.PlaceOf(Resource.Name);

    public string Path => Resource.Path(Namespace, Name);

    public string Collection => Resource.Path(Namespace);

    public override string ToString() => $"{Resource.Name}/{Name}";
}

/// <summary>A restore into a cluster.</summary>
internal sealed record KubernetesRestorePlan : RestorePlan
{
    public required NamespaceBackup Backup { get; init; }

    public required RestoreMode Mode { get; init; }

    public required string Namespace { get; init; }

    /// <summary>Fields that others have taken over are taken back.</summary>
    public required bool ForcesConflicts { get; init; }

    public required IReadOnlyList<RestoreItem> Items { get; init; }

    /// <summary>What is not made anew, and why, as far as that is known before.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}
