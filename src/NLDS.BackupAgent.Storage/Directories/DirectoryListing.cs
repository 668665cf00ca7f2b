using System.IO.Enumeration;

namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>
/// Walks the directories in the order of the keys. A folder sorts as its name and a slash, because that is how its objects' keys go on:
/// <c>a-b</c> comes before <c>a/b</c>, and that before <c>a0</c>. Folders that cannot hold a wanted key are not opened.
/// </summary>
internal sealed class DirectoryListing(DirectoryRoot root, string prefix, string startAfter)
{
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    /// <summary>Begins in the folder that the prefix names: the folders above it may hold a hundred thousand files that are not wanted.</summary>
    public IEnumerable<ObjectInfo> Objects()
    {
        var folder = prefix[..(prefix.LastIndexOf('/') + 1)];
        return folder.Split('/') is [DirectoryRoot.IncomingName or DirectoryRoot.LostAndFound, ..] ? [] : Objects(Path.Combine(root.Path, folder), folder);
    }

    private IEnumerable<ObjectInfo> Objects(string folder, string above)
    {
        foreach (var (name, isFolder) in Entries(folder))
        {
            var key = above + name;
            if (above.Length == 0 && name is DirectoryRoot.IncomingName + "/" or DirectoryRoot.LostAndFound + "/")
            {
                continue;
            }

            if (isFolder)
            {
                if (MayHoldWanted(key))
                {
                    foreach (var info in Objects(Path.Combine(folder, name[..^1]), key))
                    {
                        yield return info;
                    }
                }
            }
            else if (IsWanted(key) && Describe(Path.Combine(folder, name), key) is { } info)
            {
                yield return info;
            }
        }
    }

    private List<(string Name, bool IsFolder)> Entries(string folder)
    {
        try
        {
            var found = new FileSystemEnumerable<(string Name, bool IsFolder)>(
                folder,
                static (ref FileSystemEntry entry) => entry.IsDirectory ? (entry.FileName.ToString() + '/', true) : (entry.FileName.ToString(), false),
                Everything).ToList();
            found.Sort(static (left, right) => string.CompareOrdinal(left.Name, right.Name));
            return found;
        }
        catch (DirectoryNotFoundException)
        {
            // Someone removed an empty folder meanwhile, or the whole volume is gone.
            root.Prove();
            return [];
        }
    }

    private bool IsWanted(string key) =>
        key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(key, startAfter) > 0;

    private bool MayHoldWanted(string folderKey) =>
        (folderKey.StartsWith(prefix, StringComparison.Ordinal) || prefix.StartsWith(folderKey, StringComparison.Ordinal))
        && (startAfter.StartsWith(folderKey, StringComparison.Ordinal) || string.CompareOrdinal(folderKey, startAfter) > 0);

    /// <summary>Null for a file whose name is no key, so was not put here by a store, and for one that was deleted meanwhile.</summary>
    private static ObjectInfo? Describe(string path, string text) =>
        ObjectKey.TryParse(text, out var key) ? DirectoryObjectStore.Describe(key, path) : null;
}
