namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>
/// An input as a connection brings it, in pieces; what is written to it goes nowhere. Who goes on reading behind its end again and again would do so for ever.
/// </summary>
internal sealed class FuzzStream(FuzzInput input) : Stream
{
    private const int MostReadsAtEnd = 100;

    private readonly Random random = new(input.Seed);
    private int position;
    private int readsAtEnd;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        if (position == input.Bytes.Length && ++readsAtEnd > MostReadsAtEnd)
        {
            throw new FuzzException($"read on {MostReadsAtEnd} times behind the end of its input");
        }

        var most = random.Next(4) == 0 ? random.Next(1, 8) : int.MaxValue;
        var count = Math.Min(Math.Min(buffer.Length, most), input.Bytes.Length - position);
        input.Bytes.AsSpan(position, count).CopyTo(buffer);
        position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

    public override void Write(byte[] buffer, int offset, int count)
    {
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
