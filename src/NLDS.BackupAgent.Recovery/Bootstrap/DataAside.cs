using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Recovery.Bootstrap;

/// <summary>Existing data are moved beside their directory before a requested restore, and never deleted. What was moved is somebody else's to remove, so there is a bound.</summary>
internal sealed class DataAside(string directory, int most)
{
    private const string Infix = ".before-";

    private string Parent { get; } = Path.GetDirectoryName(directory) ?? throw new UsageException($"'{directory}' has nothing beside it. Name a directory below it.");

    /// <summary>Where the data go for a request.</summary>
    public string For(string request) => directory + Infix + request;

    public IReadOnlyList<string> Existing() =>
        Directory.Exists(Parent) ? [.. Directory.EnumerateDirectories(Parent, Path.GetFileName(directory) + Infix + "*").Order(StringComparer.Ordinal)] : [];

    /// <summary>Everything that can be in the way of moving, found before anything is changed.</summary>
    /// <exception cref="SourceException">Something is.</exception>
    public void RequireMovable()
    {
        if (Existing() is { } existing && existing.Count >= most)
        {
            throw Refused(
                $"{existing.Count} earlier data directories were moved aside already ({string.Join(", ", existing)}), and Recovery:KeepAside allows {most}. "
                + "Remove those that nobody needs, then start again.");
        }

        if (DirectoryUsers.Find(directory) is { } user)
        {
            throw Refused($"process {user} works in it. Stop the server first.");
        }

        if (UnixFiles.FileSystem(directory) != UnixFiles.FileSystem(Parent))
        {
            throw Refused($"it is a mount point, and data can only be moved within a file system. Let the server use a directory below it: {directory}/data.");
        }
    }

    /// <summary>Moves the data, unless an earlier run has done so, and leaves an empty directory of the same owner.</summary>
    public void Move(string aside)
    {
        if (!Directory.Exists(aside) && Directory.Exists(directory))
        {
            Directory.Move(directory, aside);
        }

        if (Directory.Exists(aside) && !Directory.Exists(directory))
        {
            // The restore gives what it writes to the owner of the directory that it finds.
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (UnixFiles.IsRoot)
            {
                var (user, group) = UnixFiles.Owner(aside);
                UnixFiles.ChangeOwner(directory, user, group);
            }
        }

        UnixFiles.FlushFileSystem(Parent);
    }

    /// <summary>The data come back, in place of an unfinished restore.</summary>
    public void PutBack(string aside)
    {
        if (!Directory.Exists(aside))
        {
            return;
        }

        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }

        Directory.Move(aside, directory);
        UnixFiles.FlushFileSystem(Parent);
    }

    private SourceException Refused(string why) =>
        new($"A restore was requested, but the data in '{directory}' cannot be moved aside: {why} Nothing was changed.", isPermanent: true);
}
