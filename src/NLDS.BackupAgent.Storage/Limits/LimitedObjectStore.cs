namespace NLDS.BackupAgent.Storage.Limits;

/// <summary>
/// Any store, held to <see cref="LimitsOptions"/>. It stands outside of the retries, so that waiting for the line is never taken for a store that does not answer.
/// A whole put goes before the parts of large objects: it is a piece of a log that a commit may be waiting for, or a document; a base backup can wait.
/// </summary>
/// <remarks>
/// What was waited for then leaves in one piece: with a ceiling below the size of a part, the line is busy for that part and quiet until the next.
/// </remarks>
internal sealed class LimitedObjectStore(IObjectStore inner, LimitsOptions options, BandwidthLimit? uploads, BandwidthLimit? downloads)
    : IObjectStore, IDisposable
{
    public string Description => inner.Description;

    public int PartBytes => inner.PartBytes;

    public int ParallelUploads => options.ParallelUploads;

    public int ParallelDownloads => options.ParallelDownloads;

    public Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, Protection.None, cancellationToken);

    public async Task<bool> PutIfAbsentAsync(
        ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken)
    {
        await TakeForPutAsync(content.Length, cancellationToken);
        return await inner.PutIfAbsentAsync(key, content, protection, cancellationToken);
    }

    public async Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await TakeForPutAsync(content.Length, cancellationToken);
        await inner.ReplaceAsync(key, content, cancellationToken);
    }

    public Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, Protection.None, cancellationToken);

    public async Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken)
    {
        var upload = await inner.BeginUploadAsync(key, protection, cancellationToken);
        return uploads is null ? upload : new LimitedUpload(upload, uploads);
    }

    public async Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken)
    {
        var body = await inner.OpenReadAsync(key, offset, length, cancellationToken);
        return downloads is null ? body : new LimitedReadStream(body, downloads);
    }

    public Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken) => inner.HeadAsync(key, cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken) =>
        inner.ListAsync(prefix, startAfter, cancellationToken);

    public Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken) => inner.DeleteAsync(keys, cancellationToken);

    public Task RequireProtectionAsync(CancellationToken cancellationToken) => inner.RequireProtectionAsync(cancellationToken);

    public Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        inner.ListUnfinishedUploadsAsync(before, cancellationToken);

    public Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) => inner.AbortUploadAsync(upload, cancellationToken);

    public void Dispose()
    {
        (inner as IDisposable)?.Dispose();
        uploads?.Dispose();
        downloads?.Dispose();
    }

    private ValueTask TakeForPutAsync(int bytes, CancellationToken cancellationToken) =>
        uploads?.TakeAsync(bytes, isUrgent: true, cancellationToken) ?? ValueTask.CompletedTask;
}
