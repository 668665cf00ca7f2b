using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>Everything that the store lists of one backup, whether or not it was ever sealed.</summary>
/// <param name="ByName">By their name in the backup: <c>base.tar.zst</c>, <c>manifest.json</c>.</param>
internal sealed record BackupFiles(BackupId Id, IReadOnlyDictionary<string, ObjectInfo> ByName)
{
    public bool Has(string name) => ByName.ContainsKey(name);

    /// <summary>All of a source's, oldest first.</summary>
    public static async Task<IReadOnlyList<BackupFiles>> ListAsync(IObjectStore store, SnapshotLayout layout, CancellationToken cancellationToken)
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

        return [.. folders.Select(folder => new BackupFiles(folder.Key, folder.Value))];
    }
}
