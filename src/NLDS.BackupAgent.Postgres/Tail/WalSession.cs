using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>
/// One WAL stream from its first byte to its end. The reader never waits for the store except through the writer's bounds; status goes out on its own, when
/// something became durable and at least every <see cref="statusInterval"/>, so that the server neither gives us up nor keeps WAL for nothing.
/// </summary>
internal sealed partial class WalSession(
    WalStream stream,
    LogWriter writer,
    TailState state,
    Lsn frontier,
    TimeSpan statusInterval,
    SemaphoreSlim durableAdvanced,
    Func<CancellationToken, Task<bool>> serverIsStopping,
    TailTiming timing,
    TimeProvider clock,
    ILogger logger) : IDisposable
{
    private readonly Acknowledgement acknowledgement = new(frontier);
    private readonly ServerMoments moments = new();
    private readonly SemaphoreSlim sending = new(1, 1);
    private readonly Lock gate = new();
    private long lastHeard = clock.GetTimestamp();
    private (Lsn Position, long Since)? owed;
    private long? heldBackSince;

    private Lsn Received => new(writer.ReceivedPosition);

    private Lsn Durable => new(writer.DurablePosition);

    /// <summary>Streams until the server ends the stream or <paramref name="stopping"/> is signalled; then everything received is made durable and acknowledged.</summary>
    /// <returns>How it ended: end of timeline, server shutdown, or data when we stopped.</returns>
    public async Task<WalMessageKind> RunAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var status = SendStatusAsync(ended);
        try
        {
            var last = await ReadUntilStoppedAsync(status, stopping, ended.Token);
            await writer.CompleteAsync();
            await ended.CancelAsync();
            await status.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await SayFarewellAsync();
            return last;
        }
        finally
        {
            await ended.CancelAsync();
            await status.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<WalMessageKind> ReadUntilStoppedAsync(Task status, CancellationToken stopping, CancellationToken ended)
    {
        try
        {
            return await ReadAsync(ended);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return WalMessageKind.Data;
        }
        catch (OperationCanceledException)
        {
            // The status loop ended the session and has the reason. Only a dead connection leaves time for the store: a server that stops waits for this one.
            await status.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (status.Exception?.InnerException is ConnectionLostException)
            {
                await SaveWhatCameAsync();
            }

            await status;
            throw;
        }
        catch (Exception lost) when (lost is ConnectionLostException or PostgresServerException)
        {
            await SaveWhatCameAsync();
            throw;
        }
    }

    /// <summary>
    /// The server may be gone for good, and what it sent last exists only in this process: it is made durable before anything else happens, however long the
    /// store takes within its own bounds.
    /// </summary>
    private async Task SaveWhatCameAsync()
    {
        if (!writer.Completion.IsCompleted)
        {
            await writer.CompleteAsync();
        }
    }

    private async Task<WalMessageKind> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var message = await stream.ReadAsync(cancellationToken);
            Volatile.Write(ref lastHeard, clock.GetTimestamp());
            if (message.Kind is WalMessageKind.Data or WalMessageKind.Keepalive)
            {
                state.Heard(message.SentAt);
            }

            writer.Announce(message.ServerEnd.Value);
            if (moments.Observe(message) is { } moment)
            {
                writer.Confirm(moment.End.Value, moment.At);
            }

            switch (message.Kind)
            {
                case WalMessageKind.Data:
                    await TakeAsync(message, cancellationToken);
                    break;
                case WalMessageKind.Keepalive:
                    if (message.ReplyRequested)
                    {
                        await AnswerAsync(cancellationToken);
                    }

                    break;
                default:
                    return message.Kind;
            }
        }
    }

    private async ValueTask TakeAsync(WalMessage message, CancellationToken cancellationToken)
    {
        if (message.Start != Received)
        {
            throw new ProtocolException($"The server sent WAL from {message.Start} on where {Received} was due.");
        }

        var appending = writer.AppendAsync(message.Payload, cancellationToken);
        if (!appending.IsCompleted)
        {
            HeldBackSince = clock.GetTimestamp();
        }

        await appending;
        if (HeldBackSince is not null)
        {
            Volatile.Write(ref lastHeard, clock.GetTimestamp());
            HeldBackSince = null;
        }
    }

    /// <summary>When the reader began to wait for the writer; null while it reads.</summary>
    private long? HeldBackSince
    {
        get
        {
            lock (gate)
            {
                return heldBackSince;
            }
        }

        set
        {
            lock (gate)
            {
                heldBackSince = value;
            }
        }
    }

    /// <summary>
    /// An answer with a position short of the server's end makes a stopping server ask again at once, thousands of times a second, and never stop: so an
    /// answer like that goes out with the next status only, and a flush is on its way meanwhile.
    /// </summary>
    private async Task AnswerAsync(CancellationToken cancellationToken)
    {
        if (Durable >= Received)
        {
            await SendAsync(replyRequested: false, cancellationToken);
            return;
        }

        lock (gate)
        {
            owed ??= (Received, clock.GetTimestamp());
        }

        writer.RequestFlush();
    }

    private async Task SendStatusAsync(CancellationTokenSource ended)
    {
        try
        {
            while (true)
            {
                var wait = WaitTime();
                state.Pulse.Turn(wait);
                var timely = await durableAdvanced.WaitAsync(wait, clock, ended.Token);
                while (durableAdvanced.Wait(0, CancellationToken.None))
                {
                    // One status tells of all advances so far.
                }

                if (writer.Completion.IsFaulted)
                {
                    await writer.Completion;
                }

                RequireLife();
                state.Pulse.Rest(); // A server that stands still may keep the sender waiting.
                await LetServerStopAsync(ended.Token);
                await SendAsync(replyRequested: !timely, ended.Token);
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

    private void RequireLife()
    {
        if (HeldBackSince is null && clock.GetElapsedTime(Volatile.Read(ref lastHeard)) > timing.SilenceBound)
        {
            throw new ConnectionLostException($"The server has not said anything for {timing.SilenceBound.TotalSeconds} s.");
        }
    }

    /// <summary>
    /// A server that stops waits for us, and we for the store. It says so by asking for an answer; when the reader is held back its question cannot be heard,
    /// but it refuses new connections. What is not durable stays in the slot.
    /// </summary>
    private async Task LetServerStopAsync(CancellationToken cancellationToken)
    {
        var isLate = OwedSince() is { } since && clock.GetElapsedTime(since) >= timing.ReplyBound;
        if (!isLate && HeldBackSince is { } heldBack && clock.GetElapsedTime(heldBack) >= timing.ReplyBound)
        {
            isLate = await serverIsStopping(cancellationToken);
            HeldBackSince = HeldBackSince is null ? null : clock.GetTimestamp();
        }

        if (isLate)
        {
            LogLateReply(Received, Durable);
            throw new SourceException(
                $"The server waits for WAL up to {Received} while the store has taken it only up to {Durable}. "
                + "The connection was closed so that the server can stop; what is missing stays in the replication slot.",
                isPermanent: false);
        }
    }

    /// <summary>Since when the server has waited for an answer; null once what it asked for is durable.</summary>
    private long? OwedSince()
    {
        lock (gate)
        {
            owed = owed is { } asked && Durable < asked.Position ? asked : null;
            return owed?.Since;
        }
    }

    private TimeSpan WaitTime()
    {
        if (OwedSince() is not { } since)
        {
            return statusInterval;
        }

        var left = timing.ReplyBound - clock.GetElapsedTime(since);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < statusInterval ? left : statusInterval;
    }

    /// <summary>One at a time: a status that was overtaken by a newer one would take its acknowledgement back.</summary>
    private async ValueTask SendAsync(bool replyRequested, CancellationToken cancellationToken)
    {
        await sending.WaitAsync(cancellationToken);
        try
        {
            // Durable is read first: what becomes durable in between was received before.
            var durable = Durable;
            var (write, flush) = acknowledgement.Next(Received, durable);
            await stream.SendStatusAsync(write, flush, flush, replyRequested, cancellationToken);
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>The last acknowledgement is a courtesy: everything is durable already, and a server that has gone learns it from the next connection.</summary>
    private async Task SayFarewellAsync()
    {
        try
        {
            await SendAsync(replyRequested: false, CancellationToken.None);
        }
        catch (ConnectionLostException)
        {
            // It closed the connection while the store took its time.
        }
    }

    public void Dispose() => sending.Dispose();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The server asked for an answer and the store did not take the WAL in time: received {Received}, durable {Durable}.")]
    private partial void LogLateReply(Lsn received, Lsn durable);
}
