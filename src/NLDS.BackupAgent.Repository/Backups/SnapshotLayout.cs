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
    private const string ManifestName = "manifest.json";
    private const string ClaimName = "begun.json";

    internal ObjectKey Manifest(BackupId id) => Key(id, ManifestName);

    /// <summary>Written first, so that an id belongs to one session and a sweep can tell what a dead one left.</summary>
    internal ObjectKey Claim(BackupId id) => Key(id, ClaimName);

    internal ObjectKey Key(BackupId id, string name) => new($"{Prefix}{id}{Separator}{name}");

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
