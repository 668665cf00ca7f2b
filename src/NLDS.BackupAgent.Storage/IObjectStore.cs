namespace NLDS.BackupAgent.Storage;

/// <summary>
/// Bytes under keys. What a put has returned from is durable: it survives the loss of this process and, for a directory, of its machine's power.
/// Objects are immutable: a put never replaces. Every method throws <see cref="ObjectStoreException"/> when it could not find out or could not do it,
/// and <see cref="ObjectNotFoundException"/> only when the store itself said that the object is absent.
/// All methods may be called concurrently.
/// </summary>
public interface IObjectStore
{
    /// <summary>Where this is, for messages: <c>s3://bucket/prefix</c>, a directory's path. Holds no secret.</summary>
    string Description { get; }

    /// <summary>How long the parts of an upload should be at first.</summary>
    int PartBytes => ObjectWriter.DefaultPartBytes;

    /// <summary>How many parts of one object should be on their way at once.</summary>
    int ParallelUploads => LimitsOptions.DefaultParallelUploads;

    /// <summary>How many ranges of one object should be fetched at once.</summary>
    int ParallelDownloads => LimitsOptions.DefaultParallelDownloads;

    /// <summary>
    /// Whether the store itself refuses to replace what a put finds there, so that of two writers of one name at the same moment exactly one wins. Null while
    /// that has not been found out; the first put finds it out.
    /// </summary>
    bool? RefusesReplacement => true;

    /// <summary>
    /// Stores <paramref name="content"/> unless an object of this name exists.
    /// </summary>
    /// <returns>True when this call created it; false when the name was taken, and then nothing has changed.</returns>
    Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>As the put above, and says whether the object is final. A store that has no locks makes no difference.</summary>
    Task<bool> PutIfAbsentAsync(ObjectKey key, ReadOnlyMemory<byte> content, Protection protection, CancellationToken cancellationToken) =>
        PutIfAbsentAsync(key, content, cancellationToken);

    /// <summary>
    /// Stores <paramref name="content"/> whether or not an object of this name exists; readers see the old or the new bytes, never a mixture.
    /// Only for what is a register by nature (leases, journals, confirmations), never for backup data.
    /// </summary>
    Task ReplaceAsync(ObjectKey key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Begins an object too large for one put. Nothing is visible under <paramref name="key"/> until the upload is completed.</summary>
    Task<IObjectUpload> BeginUploadAsync(ObjectKey key, CancellationToken cancellationToken);

    /// <summary>As above, and says whether the object is final. A store that has no locks makes no difference.</summary>
    Task<IObjectUpload> BeginUploadAsync(ObjectKey key, Protection protection, CancellationToken cancellationToken) =>
        BeginUploadAsync(key, cancellationToken);

    /// <summary>
    /// Opens <paramref name="length"/> bytes from <paramref name="offset"/>, or all that follow when it is null. The stream throws
    /// <see cref="ObjectStoreException"/> when the store sends less than it announced; it never ends early in silence. A range that reaches past the
    /// object's end is cut there, so one that begins at or after the end is empty.
    /// </summary>
    /// <exception cref="ObjectNotFoundException">The store said that it is absent.</exception>
    Task<Stream> OpenReadAsync(ObjectKey key, long offset, long? length, CancellationToken cancellationToken);

    /// <summary>The object's size and age, or null when the store said that it is absent.</summary>
    Task<ObjectInfo?> HeadAsync(ObjectKey key, CancellationToken cancellationToken);

    /// <summary>
    /// All objects whose key starts with <paramref name="prefix"/> (a string prefix, not a folder; empty for all) and, where given, comes after
    /// <paramref name="startAfter"/>, in ordinal key order.
    /// </summary>
    IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, ObjectKey? startAfter, CancellationToken cancellationToken);

    /// <summary>Deletes the objects; those that are already absent count as deleted.</summary>
    /// <exception cref="ObjectStoreException">Among other reasons, <see cref="ObjectStoreException.Locked"/> names objects that the store keeps for a time;
    /// then all others were deleted, and these are as they were. In a versioned bucket an object is deleted when nobody sees it any more; its bytes stay until
    /// a lifecycle rule of the bucket removes them.</exception>
    Task DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken);

    /// <summary>Makes sure that the store can lock what is put as <see cref="Protection.Locked"/>, where its settings want that.</summary>
    /// <exception cref="ObjectStoreException">It cannot; the message says what to do.</exception>
    Task RequireProtectionAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// What uploads left behind whose process ended before them, oldest first. Those of this store object are not among them, however old; another
    /// process's are, so <paramref name="before"/> leaves time for the longest upload that may be running.
    /// </summary>
    Task<IReadOnlyList<UnfinishedUpload>> ListUnfinishedUploadsAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<UnfinishedUpload>>([]);

    /// <summary>Frees what an unfinished upload holds. One that is gone already counts as freed; one that still runs elsewhere fails there.</summary>
    Task AbortUploadAsync(UnfinishedUpload upload, CancellationToken cancellationToken) => Task.CompletedTask;
}
