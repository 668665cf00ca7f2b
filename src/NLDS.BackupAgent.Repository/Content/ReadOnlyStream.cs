using System.Buffers;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>The part of <see cref="Stream"/> that a forward-only asynchronous reader has to say.</summary>
internal abstract class ReadOnlyStream : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException("The length of this stream is not known.");

    public override long Position
    {
        get => throw new NotSupportedException("This stream has no position.");
        set => throw new NotSupportedException("This stream does not seek.");
    }

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>Reads to the end, for what is counted and hashed on the way: a decoder may stop before an object's last byte.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        var rest = ArrayPool<byte>.Shared.Rent(64 << 10);
        try
        {
            while (await ReadAsync(rest, cancellationToken) > 0)
            {
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rest);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("This stream is read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("This stream does not seek.");

    public override void SetLength(long value) => throw new NotSupportedException("This stream is not written.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is not written.");
}
