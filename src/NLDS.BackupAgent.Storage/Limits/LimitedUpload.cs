namespace NLDS.BackupAgent.Storage.Limits;

/// <summary>An upload whose parts wait for their share of the line.</summary>
internal sealed class LimitedUpload(IObjectUpload inner, BandwidthLimit limit) : IObjectUpload
{
    public ObjectKey Key => inner.Key;

    public async Task PutPartAsync(int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await limit.TakeAsync(content.Length, isUrgent: false, cancellationToken);
        await inner.PutPartAsync(number, offset, content, cancellationToken);
    }

    public Task<bool> CompleteAsync(CancellationToken cancellationToken) => inner.CompleteAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
