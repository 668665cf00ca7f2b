using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>Reads pieces of a log in the order given, while the next ones are already on their way: fetched, decompressed and hashed on other threads.</summary>
public static class LogReadAhead
{
    /// <summary>Beside the one that is being looked at. One decompresses while the other waits for the store.</summary>
    private const int Ahead = 2;

    /// <summary>
    /// What a piece may be ahead of its reader: a whole segment of the usual size, so that the next one is ready when its turn comes. With <see cref="Ahead"/>
    /// this is the memory that reading takes, whatever the segment size.
    /// </summary>
    private const int BufferBytes = 16 << 20;

    /// <summary>The pieces as they arrive. Each must be read to its end, or given up, before the next is asked for.</summary>
    public static async IAsyncEnumerable<ArrivingPiece> ReadAheadAsync(
        this LogArchive archive, IEnumerable<LogPiece> pieces, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var arriving = new Queue<ArrivingPiece>();
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var next = pieces.GetEnumerator();
        try
        {
            while (true)
            {
                while (arriving.Count <= Ahead && next.MoveNext())
                {
                    arriving.Enqueue(Begin(archive, next.Current, abandoned.Token));
                }

                if (!arriving.TryPeek(out var piece))
                {
                    yield break;
                }

                yield return piece;
                await arriving.Dequeue().EndAsync();
            }
        }
        finally
        {
            await abandoned.CancelAsync();
            foreach (var piece in arriving)
            {
                await piece.EndAsync();
            }
        }
    }

    private static ArrivingPiece Begin(LogArchive archive, LogPiece piece, CancellationToken cancellationToken)
    {
        var pipe = new Pipe(new PipeOptions(
            minimumSegmentSize: 128 << 10, pauseWriterThreshold: BufferBytes, resumeWriterThreshold: BufferBytes / 2, useSynchronizationContext: false));
        var reading = Task.Run(
            async () =>
            {
                try
                {
                    return await archive.CopyAsync(piece, pipe.Writer.AsStream(leaveOpen: true), cancellationToken);
                }
                finally
                {
                    // The reader sees an end in any case; whether it is a good one, the seal tells.
                    await pipe.Writer.CompleteAsync();
                }
            },
            CancellationToken.None);
        return new ArrivingPiece(piece, pipe.Reader, reading);
    }
}

/// <summary>One piece on its way.</summary>
public sealed class ArrivingPiece
{
    private readonly PipeReader content;
    private readonly Task<LogSeal> reading;

    internal ArrivingPiece(LogPiece piece, PipeReader content, Task<LogSeal> reading) => (Piece, this.content, this.reading) = (piece, content, reading);

    public LogPiece Piece { get; }

    /// <summary>Hands the content over as it comes, and then the seal that proves it. Before that nothing of it may be relied on.</summary>
    /// <exception cref="Sources.NotRestorableException">The piece is missing or damaged.</exception>
    public async Task<LogSeal> ReadAsync(Content.BytesConsumer consume, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await content.ReadAsync(cancellationToken);
            foreach (var bytes in read.Buffer)
            {
                consume(bytes.Span);
            }

            content.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return await reading;
            }
        }
    }

    /// <summary>Waits until nothing of it runs any more.</summary>
    internal async Task EndAsync()
    {
        await content.CompleteAsync();
        await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
