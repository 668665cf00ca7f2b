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
    internal ObjectKey Manifest(BackupId id) => Key(id, BackupFolder.Manifest);

    /// <summary>Written first, so that an id belongs to one session and a sweep can tell what a dead one left.</summary>
    internal ObjectKey Claim(BackupId id) => Key(id, BackupFolder.Claim);

    /// <summary>Says that the backup was read back; a register.</summary>
    internal ObjectKey Proof(BackupId id) => Key(id, BackupFolder.Proof);

    internal ObjectKey Key(BackupId id, string name) => new($"{Prefix}{id}{Separator}{name}");

    /// <summary>Which backup a key belongs to and what it is called there; false for a key that is none of a backup's.</summary>
    internal bool TryParse(ObjectKey key, out BackupId id, out string name)
    {
        (id, name) = (default, "");
        var text = key.Value;
        if (text.Length <= Prefix.Length || !text.StartsWith(Prefix, StringComparison.Ordinal)
            || text.IndexOf(Separator, Prefix.Length) is not (> 0 and var end)
            || !BackupId.TryParse(text[Prefix.Length..end], out id))
        {
            return false;
        }

        name = text[(end + 1)..];
        return name.Length > 0;
    }
}
