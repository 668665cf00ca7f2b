using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>A store in which something happens just before an object is read, such as what another process does.</summary>
public sealed class InterruptedObjectStore(IObjectStore inner) : IObjectStore
{
    /// <summary>What happens before the object under that key is read.</summary>
    public Func<ObjectKey, Task> BeforeRead { get; set; } = _ => Task.CompletedTask;

    public string Description => inner.Description;

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        inner.PutIfAbsentAsync(key, content, cancellationToken);

    public Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => inner.ReplaceAsync(key, content, cancellationToken);

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.BeginUploadAsync(key, cancellationToken);

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        await BeforeRead(key);
        return await inner.OpenReadAsync(key, offset, length, cancellationToken);
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) => inner.ListAsync(prefix, startAfter, cancellationToken);

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => inner.DeleteAsync(keys, cancellationToken);
}
