using System.Buffers;
using System.Threading.Channels;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>Takes bytes that are valid only during the call.</summary>
public delegate void BytesConsumer(ReadOnlySpan<byte> bytes);

/// <summary>Feeds a stream to somebody who looks at its bytes, while the next ones are read, decompressed and hashed on another thread.</summary>
public static class ReadingAhead
{
    /// <summary>Large beside the cost of handing over, small beside any pod's memory.</summary>
    private const int BufferBytes = 512 << 10;

    /// <summary>With two, each side waited for the other at every one: a file is written by fits and starts, and a thread takes its time to wake up.</summary>
    private const int Buffers = 4;

    public static async Task FeedAsync(Stream source, BytesConsumer consume, CancellationToken cancellationToken)
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var free = Channel.CreateBounded<byte[]>(Buffers);
        var filled = Channel.CreateBounded<(byte[] Buffer, int Count)>(Buffers);
        var buffers = Enumerable.Range(0, Buffers).Select(_ => ArrayPool<byte>.Shared.Rent(BufferBytes)).ToList();
        buffers.ForEach(buffer => free.Writer.TryWrite(buffer));
        var reading = Task.Run(() => FillAsync(source, free.Reader, filled.Writer, abandoned.Token), CancellationToken.None);
        try
        {
            await foreach (var (buffer, count) in filled.Reader.ReadAllAsync(CancellationToken.None))
            {
                consume(buffer.AsSpan(0, count));
                free.Writer.TryWrite(buffer);
            }

            await reading;
        }
        finally
        {
            await abandoned.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            buffers.ForEach(buffer => ArrayPool<byte>.Shared.Return(buffer));
        }
    }

    private static async Task FillAsync(Stream source, ChannelReader<byte[]> free, ChannelWriter<(byte[] Buffer, int Count)> filled, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var buffer = await free.ReadAsync(cancellationToken);
                var count = await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
                if (count == 0)
                {
                    return;
                }

                filled.TryWrite((buffer, count));
            }
        }
        finally
        {
            // What was filled is consumed first; then whoever waits for this task learns how it ended.
            filled.Complete();
        }
    }
}
