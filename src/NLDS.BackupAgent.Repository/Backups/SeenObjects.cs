using System.Collections.Concurrent;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>What was read of objects that a listing shows unchanged: same key, size and time. May be used from any thread.</summary>
internal sealed class SeenObjects<T>
{
    private readonly ConcurrentDictionary<string, (ObjectInfo Listed, T Document)> seen = new(StringComparer.Ordinal);

    public async Task<T> GetAsync(ObjectInfo listed, Func<Task<T>> read)
    {
        if (seen.TryGetValue(listed.Key.Value, out var known) && known.Listed == listed)
        {
            return known.Document;
        }

        var document = await read();
        seen[listed.Key.Value] = (listed, document);
        return document;
    }

    /// <summary>Keeps of the objects under a prefix only those that were listed just now, so that this never grows beyond the repository.</summary>
    public void Forget(string prefix, IEnumerable<ObjectInfo> listed)
    {
        var kept = listed.Select(entry => entry.Key.Value).ToHashSet(StringComparer.Ordinal);
        foreach (var key in seen.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal) && !kept.Contains(key)))
        {
            seen.TryRemove(key, out _);
        }
    }
}
