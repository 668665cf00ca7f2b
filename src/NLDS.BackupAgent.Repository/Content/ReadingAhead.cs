using System.Buffers;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>Takes bytes that are valid only during the call.</summary>
public delegate void BytesConsumer(ReadOnlySpan<byte> bytes);

/// <summary>Feeds a stream to somebody who looks at its bytes, while the next ones are read, decompressed and hashed on another thread.</summary>
public static class ReadingAhead
{
    /// <summary>Large beside the cost of handing over, small beside any pod's memory; two of them are held.</summary>
    private const int BufferBytes = 512 << 10;

    public static async Task FeedAsync(Stream source, BytesConsumer consume, CancellationToken cancellationToken)
    {
        var (current, next) = (ArrayPool<byte>.Shared.Rent(BufferBytes), ArrayPool<byte>.Shared.Rent(BufferBytes));
        var reading = FillAsync(source, current, cancellationToken);
        try
        {
            while (await reading is var count && count > 0)
            {
                var filled = current;
                (current, next) = (next, current);
                var target = current;
                reading = Task.Run(() => FillAsync(source, target, cancellationToken), CancellationToken.None);
                consume(filled.AsSpan(0, count));
            }
        }
        finally
        {
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(current);
            ArrayPool<byte>.Shared.Return(next);
        }
    }

    private static async Task<int> FillAsync(Stream source, byte[] buffer, CancellationToken cancellationToken) =>
        await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
}
