namespace NLDS.BackupAgent.Storage;

/// <summary>
/// A large object on its way. Parts are numbered from 1, may be put in any order and concurrently, and a part may be put again (the last put of a number
/// counts). Disposing without <see cref="CompleteAsync"/> abandons the upload and frees what the store held of it.
/// </summary>
public interface IObjectUpload : IAsyncDisposable
{
    ObjectKey Key { get; }

    /// <summary>
    /// Stores one part. All parts but the last are at least <see cref="ObjectWriter.MinimumPartBytes"/> long.
    /// </summary>
    /// <param name="number">1 to <see cref="ObjectWriter.MaximumParts"/>.</param>
    /// <param name="offset">Where the part begins in the object.</param>
    Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Makes the object visible and durable, of exactly the parts put. May be called again when its answer was lost.</summary>
    /// <returns>False when the name was taken meanwhile; then nothing has changed there. A store that cannot refuse the replacement of a multipart
    /// object checks just before it completes: callers give large objects unique names.</returns>
    Task<bool> CompleteAsync(CancellationToken cancellationToken);
}
