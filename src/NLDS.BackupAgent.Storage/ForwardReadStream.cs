namespace NLDS.BackupAgent.Storage;

/// <summary>The face of a stream that is only read, and only forward: what an object's body is.</summary>
internal abstract class ForwardReadStream : Stream
{
    public sealed override bool CanRead => true;

    public sealed override bool CanSeek => false;

    public sealed override bool CanWrite => false;

    public sealed override long Length => throw new NotSupportedException("An object's body is read forward only.");

    public sealed override long Position
    {
        get => throw new NotSupportedException("An object's body is read forward only.");
        set => throw new NotSupportedException("An object's body is read forward only.");
    }

    /// <summary>
    /// Which content this is, where the store says so. Only registers change under their key; a read that is resumed on another version
    /// would mix the old bytes with the new.
    /// </summary>
    public virtual string? Version => null;

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    public sealed override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>For the codecs that read synchronously. On the pool, so that a caller that has a synchronisation context is not waited for by itself.</summary>
    public sealed override int Read(byte[] buffer, int offset, int count) =>
        Task.Run(() => ReadAsync(buffer.AsMemory(offset, count)).AsTask()).GetAwaiter().GetResult();

    public sealed override void Flush()
    {
    }

    public sealed override long Seek(long offset, SeekOrigin origin) =>
        throw new NotSupportedException("An object's body is read forward only.");

    public sealed override void SetLength(long value) => throw new NotSupportedException("An object's body is only read.");

    public sealed override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("An object's body is only read.");
}
