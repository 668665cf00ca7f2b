using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>
/// A store that only the lease's holder may change. What is put is immutable, so the holder's own clock guards it for nothing; what is removed is gone, so the
/// epochs are looked at first.
/// </summary>
internal sealed class FencedObjectStore(IObjectStore inner, WriterLease lease) : IObjectStore
{
    public string Description => inner.Description;

    public int PartBytes => inner.PartBytes;

    public bool? RefusesReplacement => inner.RefusesReplacement;

    /// <summary>For what is immutable too but must not be mistaken for the work of the newest holder.</summary>
    public Task RequireNewestAsync(CancellationToken cancellationToken) => lease.RequireAsync(cancellationToken);

    public async Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await lease.RequireTimelyAsync(cancellationToken);
        return await inner.PutIfAbsentAsync(key, content, cancellationToken);
    }

    public async Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await lease.RequireTimelyAsync(cancellationToken);
        await inner.ReplaceAsync(key, content, cancellationToken);
    }

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        await lease.RequireTimelyAsync(cancellationToken);
        return await inner.BeginUploadAsync(key, cancellationToken);
    }

    public Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(key, offset, length, cancellationToken);

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) =>
        inner.ListAsync(prefix, startAfter, cancellationToken);

    public async Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        await lease.RequireAsync(cancellationToken);
        await inner.DeleteAsync(keys, cancellationToken);
    }
}
