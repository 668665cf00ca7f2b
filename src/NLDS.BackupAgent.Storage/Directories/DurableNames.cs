namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>
/// Gives a finished file its name, durably: the name is given in one step, and every directory on the way to it is flushed before anyone is told.
/// </summary>
internal sealed class DurableNames(DirectoryRoot root)
{
    /// <summary>Directories are days, sources and backups; when there are more, forgetting them only costs flushes.</summary>
    private const int MaximumKnown = 4_096;

    private readonly Lock gate = new();
    private readonly HashSet<string> known = [];

    /// <param name="whenNamed">Told once the name is given, even if it then cannot be made durable.</param>
    /// <returns>False when the name was taken.</returns>
    public bool TryPublish(StagedFile staged, string target, Action? whenNamed = null)
    {
        var error = Place(target, () => LinkOrRename(staged.Path, target));
        if (error is not (0 or Posix.Exists) || (error == Posix.Exists && Directory.Exists(target)))
        {
            throw Posix.Failure(error == Posix.Exists ? Posix.IsADirectory : error);
        }

        if (error == 0)
        {
            whenNamed?.Invoke();
        }

        // Also for the loser: it will take the winner's bytes for durable, and the winner may not have flushed the name yet.
        Flush(target);
        return error == 0;
    }

    public void Replace(StagedFile staged, string target)
    {
        var error = Place(target, () => Posix.Rename(staged.Path, target));
        if (error != 0)
        {
            throw Posix.Failure(error);
        }

        Flush(target);
    }

    /// <summary>Makes the present names in the target's directory durable, and that directory's own name, and so on up to the root.</summary>
    public void Flush(string target)
    {
        var folder = Path.GetDirectoryName(target)!;
        Posix.FlushDirectory(folder);
        if (IsKnown(folder))
        {
            return;
        }

        // All ancestors, not only those made here: another writer may have made one and not have flushed it yet.
        for (var child = folder; child.Length > root.Path.Length; child = Path.GetDirectoryName(child)!)
        {
            Posix.FlushDirectory(Path.GetDirectoryName(child)!);
        }

        Remember(folder);
    }

    private int Place(string target, Func<int> give)
    {
        var error = give();
        if (error != Posix.NoEntry)
        {
            return error;
        }

        // A missing root must not be made anew here: that would be a backup on the wrong disk.
        root.Prove();
        var folder = Path.GetDirectoryName(target)!;
        Forget();
        Directory.CreateDirectory(folder, DirectoryRoot.FolderMode);
        return give();
    }

    private static int LinkOrRename(string temporary, string target)
    {
        var error = Posix.Link(temporary, target);

        // File systems without hard links (FAT, some network ones) say so in one of these two ways.
        return error is Posix.NotPermitted or Posix.NotSupported ? Posix.RenameIfAbsent(temporary, target) : error;
    }

    private bool IsKnown(string folder)
    {
        lock (gate)
        {
            return known.Contains(folder);
        }
    }

    private void Remember(string folder)
    {
        lock (gate)
        {
            if (known.Count >= MaximumKnown)
            {
                known.Clear();
            }

            known.Add(folder);
        }
    }

    private void Forget()
    {
        lock (gate)
        {
            known.Clear();
        }
    }
}
