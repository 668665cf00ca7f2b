namespace NLDS.BackupAgent.Storage.Limits;

/// <summary>A body that is read no faster than its share of the line. A read is waited for after it was made, when its length is known; the sender is held back by TCP.</summary>
internal sealed class LimitedReadStream(Stream inner, BandwidthLimit limit) : ForwardReadStream
{
    private bool hasLostBytes;

    public override string? Version => (inner as ForwardReadStream)?.Version;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (hasLostBytes)
        {
            throw new ObjectStoreException("A read of this body was cancelled and took its bytes with it. Open the object again.", isPermanent: false);
        }

        var read = await inner.ReadAsync(buffer[..Math.Min(buffer.Length, limit.SliceBytes)], cancellationToken);
        hasLostBytes = read > 0;
        await limit.TakeAsync(read, isUrgent: false, cancellationToken);
        hasLostBytes = false;
        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        inner.Dispose();
        base.Dispose(disposing);
    }
}
