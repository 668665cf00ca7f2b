using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>Everything that the store lists of one backup, whether or not it was ever sealed.</summary>
/// <param name="Files">By their name in the backup: <c>base.tar.zst</c>, <c>manifest.json</c>.</param>
internal sealed record BackupFolder(BackupId Id, IReadOnlyDictionary<string, ObjectInfo> Files)
{
    public const string Manifest = "manifest.json";
    public const string Claim = "begun.json";
    public const string Proof = "verified.json";
    public const string Hold = "hold.json";

    /// <summary>Put before a backup is removed, so that what is left of it is not taken for damage.</summary>
    public const string Tombstone = "pruned.json";

    public bool Has(string name) => Files.ContainsKey(name);

    /// <summary>All of a source's, oldest first.</summary>
    public static async Task<IReadOnlyList<BackupFolder>> ListAsync(IObjectStore store, SnapshotLayout layout, CancellationToken cancellationToken)
    {
        var folders = new SortedDictionary<BackupId, Dictionary<string, ObjectInfo>>();
        await foreach (var entry in store.ListAsync(layout.Prefix, null, cancellationToken))
        {
            if (layout.TryParse(entry.Key, out var id, out var name))
            {
                if (!folders.TryGetValue(id, out var files))
                {
                    folders.Add(id, files = []);
                }

                files[name] = entry;
            }
        }

        return [.. folders.Select(folder => new BackupFolder(folder.Key, folder.Value))];
    }
}
