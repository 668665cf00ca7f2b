using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>
/// Where a source's backups lie: <c>prefix + id + separator + name</c>. With <c>/</c> each backup is a folder (<c>postgres/full/20261123_020000/base.tar.zst</c>);
/// with <c>.</c> it is a file and its manifest (<c>redis/redis_backup_20261123_020000.rdb.zst</c>, <c>….manifest.json</c>).
/// </summary>
/// <param name="Source">The source's name.</param>
/// <param name="Prefix">What all keys begin with.</param>
/// <param name="Separator"><c>/</c> or <c>.</c></param>
public sealed record SnapshotLayout(string Source, string Prefix, char Separator)
{
    internal const string ManifestName = "manifest.json";
    internal const string ClaimName = "begun.json";
    internal const string HoldName = "hold.json";
    internal const string TombstoneName = "pruned.json";
    internal const string ProofName = "verified.json";
    internal const string UnchangedName = "unchanged.json";
    internal const string DamageName = "damaged.json";
    private const int IdLength = 15;

    internal ObjectKey Manifest(BackupId id) => Key(id, ManifestName);

    /// <summary>Written first, so that an id belongs to one session and a sweep can tell what a dead one left.</summary>
    internal ObjectKey Claim(BackupId id) => Key(id, ClaimName);

    /// <summary>Keeps the backup from being pruned for as long as it is there.</summary>
    internal ObjectKey Hold(BackupId id) => Key(id, HoldName);

    /// <summary>Says that retention removes the backup, and what belongs to it; the last of its objects to go.</summary>
    internal ObjectKey Tombstone(BackupId id) => Key(id, TombstoneName);

    /// <summary>Says that the backup was read back; a register.</summary>
    internal ObjectKey Proof(BackupId id) => Key(id, ProofName);

    /// <summary>Says that a verification found the backup damaged, for as long as none finds it sound; a register.</summary>
    internal ObjectKey Damage(BackupId id) => Key(id, DamageName);

    /// <summary>Says when the source was last found as it is in the backup; a register.</summary>
    internal ObjectKey Unchanged(BackupId id) => Key(id, UnchangedName);

    internal ObjectKey Key(BackupId id, string name) => new($"{Prefix}{id}{Separator}{name}");

    /// <summary>What all keys of one backup begin with.</summary>
    internal string PrefixOf(BackupId id) => $"{Prefix}{id}{Separator}";

    /// <summary>The backup that an object belongs to, and what it is called in there; false for what belongs to none.</summary>
    internal bool TryParse(ObjectKey key, out BackupId id, out string name)
    {
        (id, name) = (default, "");
        var value = key.Value;
        var separator = Prefix.Length + IdLength;
        if (value.Length <= separator + 1 || value[separator] != Separator || !value.StartsWith(Prefix, StringComparison.Ordinal)
            || !BackupId.TryParse(value[Prefix.Length..separator], out id))
        {
            return false;
        }

        name = value[(separator + 1)..];
        return true;
    }

    /// <summary>The id of a manifest's key; false for every other key.</summary>
    internal bool TryParseManifest(ObjectKey key, out BackupId id)
    {
        id = default;
        var ending = Separator + ManifestName;
        return key.Value.StartsWith(Prefix, StringComparison.Ordinal)
            && key.Value.EndsWith(ending, StringComparison.Ordinal)
            && key.Value.Length > Prefix.Length + ending.Length
            && BackupId.TryParse(key.Value[Prefix.Length..^ending.Length], out id);
    }
}
