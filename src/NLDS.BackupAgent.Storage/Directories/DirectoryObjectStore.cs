using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>
/// Objects as files, their keys as paths. A file is written and flushed under a temporary name and then linked to its own: the link fails if the name
/// is taken, so of any number of writers exactly one wins, and a reader never sees half an object. What it cannot hold is both an object <c>a</c> and
/// an object <c>a/b</c>.
/// </summary>
internal sealed class DirectoryObjectStore : IObjectStore
{
    private readonly DirectoryRoot root;

    public DirectoryObjectStore(string path, TimeProvider time, ILogger<DirectoryObjectStore> logger)
    {
        root = new DirectoryRoot(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), time, logger);
        Names = new DurableNames(root);
    }

    public string Description => root.Path;

    internal DurableNames Names { get; }

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var target = root.PathOf(key);
        return RunAsync($"Storing '{key}'", () => Stage(content, staged => Names.TryPublish(staged, target), cancellationToken), cancellationToken);
    }

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var target = root.PathOf(key);
        return RunAsync(
            $"Replacing '{key}'",
            () => Stage(
                content,
                staged =>
                {
                    Names.Replace(staged, target);
                    return true;
                },
                cancellationToken),
            cancellationToken);
    }

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        var target = root.PathOf(key);
        return RunAsync<IObjectUpload>(
            $"Beginning '{key}'", () => new DirectoryUpload(this, key, target, StagedFile.Create(root)), cancellationToken);
    }

    public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length ?? 0, nameof(length));
        var path = root.PathOf(key);
        return RunAsync<Stream>(
            $"Opening '{key}'",
            () =>
            {
                try
                {
                    return FileReadStream.Open(path, root.Path, key, offset, length);
                }
                catch (Exception failure) when (SaysAbsent(failure) || Directory.Exists(path))
                {
                    root.Prove();
                    throw new ObjectNotFoundException(key, root.Path);
                }
            },
            cancellationToken);
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        var path = root.PathOf(key);
        return RunAsync(
            $"Looking for '{key}'",
            () =>
            {
                var found = Describe(key, path);
                if (found is null)
                {
                    root.Prove();
                }

                return found;
            },
            cancellationToken);
    }

    public async IAsyncEnumerable<ObjectInfo> ListAsync(
        string prefix, ObjectKey? startAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await RunAsync("Listing", Proved, cancellationToken);
        using var objects = new DirectoryListing(root, prefix, startAfter?.Value ?? "").Objects().GetEnumerator();
        while (await RunAsync("Listing", objects.MoveNext, cancellationToken))
        {
            yield return objects.Current;
        }
    }

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        var paths = keys.Select(root.PathOf).ToList();
        return RunAsync($"Deleting {paths.Count} objects", () => Delete(paths, cancellationToken), cancellationToken);
    }

    public async Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        await RunAsync("Listing unfinished uploads", () => root.LeftBehind(before), cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) =>
        RunAsync(
            $"Removing '{upload.Name}'",
            () =>
            {
                root.Remove(upload);
                return true;
            },
            cancellationToken);

    /// <summary>Null when the file system said that there is no such file.</summary>
    internal static ObjectInfo? Describe(ObjectKey key, string path)
    {
        try
        {
            // Not Exists, which answers false for everything that goes wrong.
            var file = new FileInfo(path);
            return new ObjectInfo(key, file.Length, new DateTimeOffset(file.LastWriteTimeUtc));
        }
        catch (IOException failure) when (SaysAbsent(failure))
        {
            return null;
        }
    }

    /// <summary>
    /// Runs file system calls away from the caller, who stops waiting when cancelled: a call on a hung volume cannot be called back. Whatever still
    /// runs then has no effect that anyone sees, because each publication asks the token first.
    /// </summary>
    internal Task<T> RunAsync<T>(string action, Func<T> work, CancellationToken cancellationToken) =>
        GuardAsync(action, Task.Run(
            () =>
            {
                root.Open();
                return work();
            },
            cancellationToken).WaitAsync(cancellationToken));

    internal async Task GuardAsync(string action, Task work)
    {
        try
        {
            await work;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw DirectoryFaults.From(root.Path, action, failure);
        }
    }

    private async Task<T> GuardAsync<T>(string action, Task<T> work)
    {
        await GuardAsync(action, (Task)work);
        return await work;
    }

    private bool Stage(ReadOnlyMemory<byte> content, Func<StagedFile, bool> publish, CancellationToken cancellationToken)
    {
        using var staged = StagedFile.Create(root);
        staged.Write(content, 0);
        staged.Flush(content.Length);

        // A caller that no longer waits may have reused the buffer while it was being written.
        cancellationToken.ThrowIfCancellationRequested();
        return publish(staged);
    }

    private bool Proved()
    {
        root.Prove();
        return true;
    }

    private bool Delete(List<string> paths, CancellationToken cancellationToken)
    {
        HashSet<string> touched = [];
        foreach (var path in paths)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var error = Posix.Unlink(path);
            if (error == 0)
            {
                touched.Add(Path.GetDirectoryName(path)!);
            }
            else if (error is Posix.NoEntry or Posix.NotADirectory || Directory.Exists(path))
            {
                root.Prove();
            }
            else
            {
                throw Posix.Failure(error);
            }
        }

        // Durable before the next step: a manifest that comes back after a power cut would name objects that are gone.
        foreach (var folder in touched)
        {
            Posix.FlushDirectory(folder);
        }

        return true;
    }

    private static bool SaysAbsent(Exception failure) => Posix.ErrorOf(failure) is Posix.NoEntry or Posix.NotADirectory;
}
