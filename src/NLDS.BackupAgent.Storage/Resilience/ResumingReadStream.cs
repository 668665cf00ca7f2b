namespace NLDS.BackupAgent.Storage.Resilience;

/// <summary>A body that is opened again where it broke off. Each read has a try's time, so a store that falls silent in mid-body is noticed.</summary>
internal sealed class ResumingReadStream(IObjectStore store, RetryPolicy policy, ObjectKey key, Stream body, long offset, long? length)
    : ForwardReadStream
{
    /// <summary>A connection that breaks more often than this in one object is not going to deliver it; each break has already been logged.</summary>
    private const int MaximumResumes = 1_000;

    private readonly string? version = (body as ForwardReadStream)?.Version;
    private Stream? body = body;
    private long consumed;
    private int resumes;
    private bool ended;

    public override string? Version => version;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (ended || buffer.IsEmpty)
        {
            return 0;
        }

        var read = await policy.RunAsync(
            RetryingObjectStore.Call("read", key, buffer.Length) with { IsRequest = false }, token => ReadOnceAsync(buffer, token), cancellationToken);
        consumed += read;
        ended = read == 0;
        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        body?.Dispose();
        body = null;
        ended = true;
        base.Dispose(disposing);
    }

    private async Task<int> ReadOnceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        body ??= await ResumeAsync(cancellationToken);
        try
        {
            return await body.ReadAsync(buffer, cancellationToken);
        }
        catch
        {
            // Whatever it was, this body's position is no longer certain.
            await CloseAsync();
            throw;
        }
    }

    private async Task<Stream> ResumeAsync(CancellationToken cancellationToken)
    {
        if (++resumes > MaximumResumes)
        {
            throw new ObjectStoreException(
                $"Reading '{key}' in {store.Description} broke off {MaximumResumes} times. Check the network to the store.", isPermanent: true);
        }

        var resumed = await store.OpenReadAsync(key, offset + consumed, length - consumed, cancellationToken);
        if (version is not null && resumed is ForwardReadStream { Version: { } now } && now != version)
        {
            await resumed.DisposeAsync();
            throw new ObjectStoreException($"'{key}' in {store.Description} was replaced while it was being read. Read it again.", isPermanent: true);
        }

        return resumed;
    }

    private async ValueTask CloseAsync()
    {
        if (body is { } open)
        {
            body = null;
            await open.DisposeAsync();
        }
    }
}
