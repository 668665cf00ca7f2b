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

    public int ParallelUploads => inner.ParallelUploads;

    public int ParallelDownloads => inner.ParallelDownloads;

    public bool? RefusesReplacement => inner.RefusesReplacement;

    /// <summary>For what is immutable too but must not be mistaken for the work of the newest holder.</summary>
    public Task RequireNewestAsync(CancellationToken cancellationToken) => lease.RequireAsync(cancellationToken);

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public async Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
    {
        await lease.RequireTimelyAsync(cancellationToken);
        return await inner.PutIfAbsentAsync(key, content, protection, cancellationToken);
    }

    public async Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await lease.RequireTimelyAsync(cancellationToken);
        await inner.ReplaceAsync(key, content, cancellationToken);
    }

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) => BeginUploadAsync(key, Protection.None, cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken)
    {
        await lease.RequireTimelyAsync(cancellationToken);
        return await inner.BeginUploadAsync(key, protection, cancellationToken);
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

    public Task RequireProtectionAsync(CancellationToken cancellationToken) => inner.RequireProtectionAsync(cancellationToken);

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        inner.ListUnfinishedUploadsAsync(before, cancellationToken);

    public async Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken)
    {
        await lease.RequireAsync(cancellationToken);
        await inner.AbortUploadAsync(upload, cancellationToken);
    }
}
