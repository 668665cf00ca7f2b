using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>
/// The directory that holds everything: created if its parent exists, and proved to be there before anything in it is called absent.
/// Files are written in <c>.incoming</c> first, so a name outside it is always a whole object.
/// </summary>
internal sealed partial class DirectoryRoot(string path, TimeProvider time, ILogger logger)
{
    public const string IncomingName = ".incoming";

    /// <summary>ext4 puts it at the top of each volume, readable by root alone.</summary>
    public const string LostAndFound = "lost+found";

    /// <summary>The group may read, so that a restore can run as the database's user; nobody else.</summary>
    public const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    public const UnixFileMode FolderMode = FileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;

    /// <summary>A temporary file that nobody has written to for so long belongs to a process that is gone.</summary>
    private static readonly TimeSpan StaleAfter = TimeSpan.FromDays(1);

    private readonly Lock gate = new();
    private readonly string incoming = System.IO.Path.Combine(path, IncomingName);
    private readonly ConcurrentDictionary<string, bool> open = new(StringComparer.Ordinal);
    private volatile bool opened;
    private volatile bool writable;

    public string Path { get; } = path;

    public string PathOf(ObjectKey key)
    {
        var slash = key.Value.IndexOf('/', StringComparison.Ordinal);
        var first = slash < 0 ? key.Value.AsSpan() : key.Value.AsSpan(0, slash);
        return first is IncomingName or LostAndFound
            ? throw new ObjectStoreException($"'{key}' cannot be a key in {Path}: '{first}' is reserved there. Choose another name.", isPermanent: true)
            : System.IO.Path.Combine(Path, key.Value);
    }

    public string NewTemporaryPath()
    {
        if (!writable)
        {
            MakeIncoming();
        }

        var name = Guid.NewGuid().ToString("N");
        open[name] = true;
        return System.IO.Path.Combine(incoming, name);
    }

    /// <summary>A temporary file of this process has ended, well or not.</summary>
    public void Release(string temporaryPath) => open.TryRemove(System.IO.Path.GetFileName(temporaryPath), out _);

    /// <summary>Temporary files of processes that are gone, by when they were last written to; this one's are not among them.</summary>
    public IReadOnlyList<UnfinishedUpload> LeftBehind(DateTimeOffset before) =>
        Directory.Exists(incoming)
            ? [.. new DirectoryInfo(incoming).EnumerateFiles()
                .Where(file => !open.ContainsKey(file.Name))
                .Select(file => new UnfinishedUpload(file.FullName, file.Name, new DateTimeOffset(file.LastWriteTimeUtc)))
                .Where(file => file.Since < before)
                .OrderBy(file => file.Since)]
            : [];

    /// <summary>Removes what <see cref="LeftBehind"/> named; what is gone already is as good.</summary>
    public void Remove(UnfinishedUpload leftover)
    {
        var error = Posix.Unlink(System.IO.Path.Combine(incoming, System.IO.Path.GetFileName(leftover.Id)));
        if (error is not (0 or Posix.NoEntry))
        {
            throw Posix.Failure(error);
        }
    }

    /// <summary>Opens the directory at the first use; later calls cost nothing.</summary>
    public void Open()
    {
        if (opened)
        {
            return;
        }

        lock (gate)
        {
            if (!opened)
            {
                MakeRoot();
                OpenForWriting();
                opened = true;
            }
        }
    }

    /// <summary>
    /// Called before an object is reported absent. Where the volume went away, its mount point may still be there, empty: then
    /// <c>.incoming</c> is gone with it.
    /// </summary>
    public void Prove()
    {
        if (!Directory.Exists(writable ? incoming : Path))
        {
            throw new ObjectStoreException(
                $"The backup directory {Path} is missing or unreadable, so nothing is known of what it holds. Mount its volume again.", isPermanent: true);
        }
    }

    private void MakeRoot()
    {
        if (Directory.Exists(Path))
        {
            return;
        }

        if (File.Exists(Path))
        {
            throw new ObjectStoreException($"{Path} is a file. Set Storage:Directory:Path to a directory.", isPermanent: true);
        }

        var parent = System.IO.Path.GetDirectoryName(Path);
        if (parent is null || !Directory.Exists(parent))
        {
            throw new ObjectStoreException(
                $"The backup directory {Path} cannot be created: {parent} is missing or unreadable. Mount the volume or create that directory, "
                + "or set Storage:Directory:Path.", isPermanent: true);
        }

        Directory.CreateDirectory(Path, FolderMode);
        Posix.FlushDirectory(parent);
    }

    private void OpenForWriting()
    {
        try
        {
            MakeIncoming();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException && IsReadOnly(failure))
        {
            // A restore from a read-only mount is a good plan. The first write says what is wrong.
            LogReadOnly(Path);
            return;
        }

        RemoveStale();
    }

    private static bool IsReadOnly(Exception failure) =>
        Posix.ErrorOf(failure) is Posix.ReadOnlyFileSystem or Posix.AccessDenied or Posix.NotPermitted;

    private void MakeIncoming()
    {
        Directory.CreateDirectory(incoming, FolderMode);
        Posix.FlushDirectory(Path);
        writable = true;
    }

    private void RemoveStale()
    {
        foreach (var file in LeftBehind(time.GetUtcNow() - StaleAfter))
        {
            if (Posix.Unlink(file.Name) == 0)
            {
                LogStale(file.Name);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Removed {Path}, which an interrupted write left behind.")]
    private partial void LogStale(string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The backup directory {Path} cannot be written to; it can only be read.")]
    private partial void LogReadOnly(string path);
}
