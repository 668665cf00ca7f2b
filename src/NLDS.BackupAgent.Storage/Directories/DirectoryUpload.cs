namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>
/// Parts are written at their places in one file, which gets its name at the end. A write that the caller stopped waiting for may still be
/// running in the kernel: the next put of that part comes after it, and an upload with such a write open cannot be completed.
/// </summary>
internal sealed class DirectoryUpload(DirectoryObjectStore store, ObjectKey key, string target, StagedFile staged) : IObjectUpload
{
    private readonly Lock gate = new();
    private readonly Dictionary<int, Task> writes = [];
    private readonly UploadParts parts = new(key);
    private bool published;

    public ObjectKey Key => key;

    public async Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        UploadParts.Check(number, offset, content);
        cancellationToken.ThrowIfCancellationRequested();
        Task write;
        lock (gate)
        {
            var earlier = writes.GetValueOrDefault(number, Task.CompletedTask);
            parts.Forget(number);
            write = writes[number] = WriteAfterAsync(earlier, offset, content, cancellationToken);
        }

        await store.GuardAsync($"Writing part {number} of '{key}'", write.WaitAsync(cancellationToken));
        parts.Record(new UploadParts.Part(number, offset, content.Length, Tag: ""));
    }

    public async Task<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        var length = parts.Whole().Sum(part => (long)part.Bytes);
        Task[] open;
        lock (gate)
        {
            open = [.. writes.Values];
        }

        await Task.WhenAll(open).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return await store.RunAsync($"Completing '{key}'", () => Publish(length, cancellationToken), cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        staged.Dispose();
        return ValueTask.CompletedTask;
    }

    private bool Publish(long length, CancellationToken cancellationToken)
    {
        if (published)
        {
            // An earlier try gave the name and failed to make it durable: the object is this upload's own.
            store.Names.Flush(target);
            return true;
        }

        staged.Flush(length);
        cancellationToken.ThrowIfCancellationRequested();
        return store.Names.TryPublish(staged, target, whenNamed: () => published = true);
    }

    private async Task WriteAfterAsync(Task earlier, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await earlier.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        cancellationToken.ThrowIfCancellationRequested();
        staged.Write(content, offset);
    }
}
