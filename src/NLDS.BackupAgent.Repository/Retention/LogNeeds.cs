using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>What of a log must stay, as its source judges it.</summary>
public sealed record LogNeeds
{
    public required LogArchive Archive { get; init; }

    /// <summary>What was judged.</summary>
    public required LogInventory Inventory { get; init; }

    /// <summary>By lineage, the first position from which on everything stays: the start of a whole segment. A lineage that is not here stays whole.</summary>
    public required IReadOnlyDictionary<string, ulong> WholeFrom { get; init; }

    /// <summary>What stays before that, in whole segments: the stretches that make older backups consistent.</summary>
    public required IReadOnlyList<LogSection> Islands { get; init; }

    /// <summary>Every moment from here on can be restored; null when there is no such moment.</summary>
    public required DateTimeOffset? RestorableFrom { get; init; }

    /// <summary>What could not be judged and therefore stays, in sentences.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>What nobody needs.</summary>
    public IReadOnlyList<LogSection> Superfluous() =>
        LogSection.Without(WholeFrom.Select(lineage => new LogSection(lineage.Key, 0, lineage.Value)), Islands);
}
