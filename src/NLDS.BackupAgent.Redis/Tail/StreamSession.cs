using System.Buffers;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>
/// One replication stream from the place where it begins to its end: into the log as it comes, told from commands only by <see cref="CommandScanner"/>, and acknowledged
/// to the server up to where it is durable in the repository and never further. So <c>WAIT 1</c> waits for the repository.
/// </summary>
internal sealed class StreamSession : IAsyncDisposable
{
    /// <summary>What the seal of one segment has room for (<c>SealFrame</c>: 500); a few may be on their way when it is looked at.</summary>
    private const int WindowsPerSegment = 400;

    /// <summary>PINGs of an idle server: three hours of them fit in here, and go up with the next write or when it is full.</summary>
    private const int MostHeldBack = 16 << 10;

    private readonly RedisConnection connection;
    private readonly RedisCatalog catalog;
    private readonly WriterLease lease;
    private readonly LogWriterOptions writing;
    private readonly TailState state;
    private readonly TailTiming timing;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly string lineage;
    private readonly CommandScanner scanner;
    private readonly SemaphoreSlim acknowledge = new(0);

    /// <summary>Link traffic behind everything that was appended: there is nothing in it that could be lost, and no reason to wake the store for it.</summary>
    private readonly ArrayBufferWriter<byte> heldBack = new();
    private ulong quietEnd;
    private ulong acknowledged;
    private LogWriter writer;
    private ArrivalTimes arrivals;
    private ulong segmentStart;
    private ulong writerStart;
    private int segmentWindows;
    private bool hasWrites;
    private bool answerIsDue;

    public StreamSession(
        RedisConnection connection, RedisCatalog catalog, WriterLease lease, LogInventory inventory, StreamPosition start, LogWriterOptions writing,
        TailState state, TailTiming timing, TimeProvider clock, ILogger logger)
    {
        this.connection = connection;
        this.catalog = catalog;
        this.lease = lease;
        this.writing = writing;
        this.state = state;
        this.timing = timing;
        this.clock = clock;
        this.logger = logger;
        lineage = start.ReplicationId;
        scanner = new CommandScanner(start.Offset, Look);
        (writer, arrivals) = OpenWriter(start.Offset, inventory.Pieces.Where(p => p.Lineage == lineage && p.Range.End > start.Offset));
        state.Streaming(start, writer);
    }

    /// <summary>
    /// What the server may be told: everything before it is durable, or is link traffic behind all that is. So an idle server sees no lag, and one that stops does
    /// not wait for us.
    /// </summary>
    private ulong NextAcknowledgement()
    {
        // Read first: what is appended in between makes the comparison fail, never succeed wrongly.
        var quiet = Volatile.Read(ref quietEnd);
        var current = Volatile.Read(ref writer);
        var durable = current.DurablePosition;
        acknowledged = Math.Max(acknowledged, durable >= current.ReceivedPosition ? Math.Max(durable, quiet) : durable);
        return acknowledged;
    }

    /// <summary>Streams until the connection ends or <paramref name="stopping"/> is signalled; what came is durable then, whichever it was.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var acknowledging = AcknowledgeAsync(ended);
        try
        {
            await ReadUntilStoppedAsync(acknowledging, stopping, ended.Token);
            await ended.CancelAsync();
            await acknowledging.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await SayFarewellAsync();
        }
        finally
        {
            await ended.CancelAsync();
            await acknowledging.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await writer.DisposeAsync();
        acknowledge.Dispose();
    }

    private async Task ReadUntilStoppedAsync(Task acknowledging, CancellationToken stopping, CancellationToken ended)
    {
        try
        {
            await ReadAsync(ended);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await writer.CompleteAsync();
        }
        catch (OperationCanceledException)
        {
            // The acknowledging loop ended the session and has the reason.
            await SaveWhatCameAsync();
            await acknowledging;
            throw;
        }
        catch (Exception lost) when (RedisFailure.IsExpected(lost))
        {
            await SaveWhatCameAsync();
            throw;
        }
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        await using var silence = new SilenceWatch(connection.Reader, timing.SilenceBound, clock, cancellationToken);
        while (true)
        {
            ReadOnlyMemory<byte> some;
            try
            {
                some = await connection.Reader.ReadSomeAsync(silence.Token);
            }
            catch (OperationCanceledException) when (silence.HasEnded)
            {
                throw new ConnectionLostException($"The server has not said anything for {timing.SilenceBound.TotalSeconds:F0} s.");
            }

            if (some.IsEmpty)
            {
                throw new ConnectionLostException("The server closed the connection.");
            }

            await TakeAsync(some, cancellationToken);
        }
    }

    private async ValueTask TakeAsync(ReadOnlyMemory<byte> some, CancellationToken cancellationToken)
    {
        var (from, now) = (scanner.Position, clock.GetUtcNow());
        (hasWrites, answerIsDue) = (!scanner.IsBetweenCommands, false);
        scanner.Feed(some.Span);
        if (hasWrites || !scanner.IsBetweenCommands || heldBack.WrittenCount + some.Length > MostHeldBack)
        {
            arrivals.Note(from, now);
            await AppendAsync(some, cancellationToken);
        }
        else
        {
            heldBack.Write(some.Span);
            Volatile.Write(ref quietEnd, scanner.Position);
        }

        // By the agent's clock: whatever was written by now, as far as it has arrived, lies before this offset. Nothing is claimed while the server is silent.
        writer.Confirm(writer.ReceivedPosition, now);
        if (answerIsDue)
        {
            writer.RequestFlush();
            acknowledge.Release();
        }

        await BeginAnotherWriterIfFullAsync();
    }

    private async ValueTask AppendAsync(ReadOnlyMemory<byte> some, CancellationToken cancellationToken)
    {
        Volatile.Write(ref quietEnd, 0);
        if (heldBack.WrittenCount > 0)
        {
            await writer.AppendAsync(heldBack.WrittenMemory, cancellationToken);
            heldBack.ResetWrittenCount();
        }

        state.Received(scanner.Position);
        await writer.AppendAsync(some, cancellationToken);
    }

    private void Look(CommandScanner command)
    {
        hasWrites |= command.Kind is not (CommandKind.Link or CommandKind.AcknowledgementRequest);
        answerIsDue |= command.Kind == CommandKind.AcknowledgementRequest;
    }

    /// <summary>A slow stream notes more arrival times in one segment than its seal has room for: the segment is left as it is, and another one begins.</summary>
    private async ValueTask BeginAnotherWriterIfFullAsync()
    {
        var position = writer.ReceivedPosition;
        var start = position - ((position - writerStart) % StreamNaming.SegmentBytes);
        if (start != segmentStart)
        {
            (segmentStart, segmentWindows) = (start, arrivals.Windows);
        }

        if (arrivals.Windows - segmentWindows >= WindowsPerSegment)
        {
            await writer.CompleteAsync();
            await writer.DisposeAsync();
            (writer, arrivals) = OpenWriter(position, []);
            state.Streaming(new StreamPosition(lineage, position), writer);
        }
    }

    private (LogWriter Writer, ArrivalTimes Arrivals) OpenWriter(ulong start, IEnumerable<LogPiece> held)
    {
        var times = new ArrivalTimes(start);
        (segmentStart, writerStart, segmentWindows) = (start, start, 0);
        return (new LogWriter(catalog.OpenLog(start, lease), writing, lineage, start, held, times, DurableAdvanced, clock, logger), times);
    }

    /// <summary>The server may be gone for good, and what it sent last exists only in this process: it is made durable before anything else happens.</summary>
    private async Task SaveWhatCameAsync()
    {
        if (!writer.Completion.IsCompleted)
        {
            await writer.CompleteAsync();
        }
    }

    private void DurableAdvanced()
    {
        if (acknowledge.CurrentCount == 0)
        {
            acknowledge.Release();
        }
    }

    private async Task AcknowledgeAsync(CancellationTokenSource ended)
    {
        try
        {
            while (true)
            {
                // Sent at once too: a server that has just sent a copy without a disk waits for the first one, and may overlook it.
                state.Pulse.Rest(); // A server that stands still may keep the sender waiting.
                await connection.SendAsync(Replication.Acknowledge(NextAcknowledgement()), ended.Token);
                state.Pulse.Turn(timing.AcknowledgeInterval);
                using var limit = new CancellationTokenSource(timing.AcknowledgeInterval, clock);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ended.Token);
                await ((Task)acknowledge.WaitAsync(either.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                ended.Token.ThrowIfCancellationRequested();
                if (Volatile.Read(ref writer).Completion is { IsFaulted: true } failed)
                {
                    await failed;
                }
            }
        }
        catch (Exception) when (!ended.IsCancellationRequested)
        {
            await ended.CancelAsync();
            throw;
        }
        finally
        {
            state.Pulse.Rest();
        }
    }

    /// <summary>The last acknowledgement is a courtesy: everything is durable already.</summary>
    private async Task SayFarewellAsync()
    {
        try
        {
            await connection.SendAsync(Replication.Acknowledge(NextAcknowledgement()), CancellationToken.None);
        }
        catch (ConnectionLostException)
        {
            // It closed the connection while the store took its time.
        }
    }
}
