using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>What one listing showed of one backup's objects. Counts, not names: a backup may have any number of objects.</summary>
internal sealed class BackupFolder(BackupId id)
{
    public BackupId Id => id;

    public bool HasManifest { get; private set; }

    public bool HasClaim { get; private set; }

    public bool IsHeld { get; private set; }

    public bool HasTombstone { get; private set; }

    public bool IsVerified { get; private set; }

    public int Objects { get; private set; }

    public long StoredBytes { get; private set; }

    /// <summary>The youngest object, by the store's clock.</summary>
    public DateTimeOffset LastModified { get; private set; } = DateTimeOffset.MinValue;

    public static async Task<IReadOnlyDictionary<BackupId, BackupFolder>> ListAsync(IObjectStore store, SnapshotLayout layout, CancellationToken cancellationToken)
    {
        var folders = new Dictionary<BackupId, BackupFolder>();
        await foreach (var entry in store.ListAsync(layout.Prefix, null, cancellationToken))
        {
            if (layout.TryParse(entry.Key, out var id, out var name))
            {
                if (!folders.TryGetValue(id, out var folder))
                {
                    folders.Add(id, folder = new BackupFolder(id));
                }

                folder.Add(name, entry);
            }
        }

        return folders;
    }

    private void Add(string name, ObjectInfo entry)
    {
        HasManifest |= name == SnapshotLayout.ManifestName;
        HasClaim |= name == SnapshotLayout.ClaimName;
        IsHeld |= name == SnapshotLayout.HoldName;
        HasTombstone |= name == SnapshotLayout.TombstoneName;
        IsVerified |= name == SnapshotLayout.ProofName;
        Objects++;
        StoredBytes += entry.Bytes;
        LastModified = entry.LastModified > LastModified ? entry.LastModified : LastModified;
    }
}
