namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Hands what is written to the scanner, once: pieces may overlap.</summary>
internal sealed class WalScanStream(WalScanner scanner, Lsn limit) : Stream
{
    private ulong fed = scanner.Position;
    private ulong position;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException("A sink has no length.");

    public override long Position
    {
        get => throw new NotSupportedException("A sink has no position.");
        set => throw new NotSupportedException("A sink has no position.");
    }

    public void Begin(Lsn start) => position = start.Value;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var end = Math.Min(position + (ulong)buffer.Length, limit.Value);
        if (fed >= position && fed < end)
        {
            scanner.Feed(buffer[(int)(fed - position)..(int)(end - position)]);
            fed = end;
        }

        position += (ulong)buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Write(buffer.AsSpan(offset, count));
        return Task.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A sink is not read.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A sink does not seek.");

    public override void SetLength(long value) => throw new NotSupportedException("A sink has no length.");
}
