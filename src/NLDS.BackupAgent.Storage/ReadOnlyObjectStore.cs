namespace NLDS.BackupAgent.Storage;

/// <summary>Any store, out of which nothing is changed: whatever the program above it is told to do, it can only read (<c>Storage:ReadOnly</c>).</summary>
internal sealed class ReadOnlyObjectStore(IObjectStore inner) : IObjectStore, IDisposable
{
    public string Description => inner.Description;

    public int PartBytes => inner.PartBytes;

    public int ParallelUploads => inner.ParallelUploads;

    public int ParallelDownloads => inner.ParallelDownloads;

    public bool? RefusesReplacement => inner.RefusesReplacement;

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => Task.FromException<bool>(Refusal($"'{key}' was not put"));

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => Task.FromException(Refusal($"'{key}' was not replaced"));

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        Task.FromException<IObjectUpload>(Refusal($"'{key}' was not put"));

    public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) => inner.OpenReadAsync(key, offset, length, cancellationToken);

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) => inner.ListAsync(prefix, startAfter, cancellationToken);

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => Task.FromException(Refusal($"{keys.Count} objects were not deleted"));

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        inner.ListUnfinishedUploadsAsync(before, cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) => Task.FromException(Refusal($"the unfinished upload of '{upload.Name}' was not ended"));

    public void Dispose() => (inner as IDisposable)?.Dispose();

    private ObjectStoreException Refusal(string what) =>
        new($"Storage:ReadOnly is true, so {what} in {Description}. Whoever only restores needs no more; to back up, leave the key out.", isPermanent: true);
}
