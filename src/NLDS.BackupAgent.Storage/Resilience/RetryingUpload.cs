namespace NLDS.BackupAgent.Storage.Resilience;

/// <summary>
/// An upload whose parts and completion are tried again. Putting a part again is harmless by contract, and each store's upload recognises
/// its own object when the answer to its completion was lost.
/// </summary>
internal sealed class RetryingUpload(IObjectUpload inner, RetryPolicy policy) : IObjectUpload
{
    public ObjectKey Key => inner.Key;

    public Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        policy.RunAsync(
            RetryingObjectStore.Call("part", Key, content.Length), token => inner.PutPartAsync(number, offset, content, token), cancellationToken);

    public Task<bool> CompleteAsync(CancellationToken cancellationToken) =>
        policy.RunAsync(RetryingObjectStore.Call("complete", Key), inner.CompleteAsync, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
