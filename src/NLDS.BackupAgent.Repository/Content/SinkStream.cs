namespace NLDS.BackupAgent.Repository.Content;

/// <summary>The part of <see cref="Stream"/> that a writer-only end has to say: content is pushed in and goes on to whoever derives from this.</summary>
public abstract class SinkStream : Stream
{
    public sealed override bool CanRead => false;

    public sealed override bool CanSeek => false;

    public sealed override bool CanWrite => true;

    public sealed override long Length => throw new NotSupportedException("A sink has no length.");

    public sealed override long Position
    {
        get => throw new NotSupportedException("A sink has no position.");
        set => throw new NotSupportedException("A sink has no position.");
    }

    public abstract override void Write(ReadOnlySpan<byte> buffer);

    public sealed override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public sealed override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Write(buffer.AsSpan(offset, count));
        return Task.CompletedTask;
    }

    public sealed override void Flush()
    {
    }

    public sealed override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A sink is not read.");

    public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A sink does not seek.");

    public sealed override void SetLength(long value) => throw new NotSupportedException("A sink has no length.");
}
