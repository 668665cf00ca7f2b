using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>An upload whose calls count, and fail, with those of its store. Its disposal never fails.</summary>
internal sealed class FaultyUpload(FaultyObjectStore store, IObjectUpload inner) : IObjectUpload
{
    public ObjectKey Key => inner.Key;

    public Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        store.ChangeAsync("part", content, (bytes, token) => inner.PutPartAsync(number, offset, bytes, token), cancellationToken);

    public Task<bool> CompleteAsync(CancellationToken cancellationToken) =>
        store.ChangeAsync("complete", default, (_, token) => inner.CompleteAsync(token), cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
