namespace NLDS.BackupAgent.Storage;

/// <summary>Whether the store itself refuses to replace an object (<c>If-None-Match: *</c>), which most but not all stores do.</summary>
public enum ConditionalPut
{
    /// <summary>Found out at the first put, by putting the same bytes once more; a store that cannot is said so in the log.</summary>
    Auto,

    /// <summary>Relied on. A store that refuses the header fails.</summary>
    On,

    /// <summary>Asked first, then put: two writers of one name at the same moment can both believe to have won.</summary>
    Off,
}
