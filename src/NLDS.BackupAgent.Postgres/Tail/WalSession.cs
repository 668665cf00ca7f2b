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
    WalStream stream, LogWriter writer, Lsn frontier, TimeSpan statusInterval, SemaphoreSlim durableAdvanced, TimeProvider clock, ILogger logger)
{
    /// <summary>
    /// How long an answer may wait for the store when the server wants one while the tail is not durable. A server that is stopping asks once and waits; a
    /// store that has not answered by then does not get to hold the server up.
    /// </summary>
    public static readonly TimeSpan ReplyBound = TimeSpan.FromSeconds(10);

    /// <summary>After this long without a word the connection is dead, whatever TCP believes; a live server answers our own pings.</summary>
    private static readonly TimeSpan SilenceBound = TimeSpan.FromSeconds(60);

    private readonly Acknowledgement acknowledgement = new(frontier);
    private long lastHeard = clock.GetTimestamp();
    private long replyOwedSince;
    private volatile int lateReplies;
    private volatile bool appending;

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
            await SendAsync(replyRequested: false, CancellationToken.None);
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
            // The status loop ended the session and has the reason.
            await SaveWhatCameAsync();
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
            switch (message.Kind)
            {
                case WalMessageKind.Data:
                    if (message.Start != Received)
                    {
                        throw new ProtocolException($"The server sent WAL from {message.Start} on where {Received} was due.");
                    }

                    lateReplies = 0;
                    writer.Confirm(message.ServerEnd.Value, message.SentAt);
                    appending = true;
                    await writer.AppendAsync(message.Payload, cancellationToken);
                    Volatile.Write(ref lastHeard, clock.GetTimestamp());
                    appending = false;
                    break;
                case WalMessageKind.Keepalive:
                    writer.Confirm(message.ServerEnd.Value, message.SentAt);
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

    /// <summary>
    /// An answer with a position short of the server's end makes a stopping server ask again at once, thousands of times a second, and never stop: so the
    /// answer waits until the tail is durable, up to <see cref="ReplyBound"/>.
    /// </summary>
    private async Task AnswerAsync(CancellationToken cancellationToken)
    {
        if (Durable >= Received)
        {
            await SendAsync(replyRequested: false, cancellationToken);
            return;
        }

        if (lateReplies > 0)
        {
            throw new SourceException(
                $"The server waits for WAL up to {Received} while the store has taken it only up to {Durable}. "
                + "The connection was closed so that the server can stop; what is missing stays in the replication slot.",
                isPermanent: false);
        }

        Interlocked.CompareExchange(ref replyOwedSince, clock.GetTimestamp(), 0);
        writer.RequestFlush();
    }

    private async Task SendStatusAsync(CancellationTokenSource ended)
    {
        try
        {
            while (true)
            {
                var timely = await durableAdvanced.WaitAsync(WaitTime(), clock, ended.Token);
                if (writer.Completion.IsFaulted)
                {
                    await writer.Completion;
                }

                if (!appending && clock.GetElapsedTime(Volatile.Read(ref lastHeard)) > SilenceBound)
                {
                    throw new ConnectionLostException($"The server has not said anything for {SilenceBound.TotalSeconds} s.");
                }

                var owed = Interlocked.Read(ref replyOwedSince);
                if (owed == 0 || Durable >= Received)
                {
                    Interlocked.Exchange(ref replyOwedSince, 0);
                    await SendAsync(replyRequested: !timely, ended.Token);
                }
                else if (clock.GetElapsedTime(owed) >= ReplyBound)
                {
                    Interlocked.Exchange(ref replyOwedSince, 0);
                    lateReplies++;
                    LogLateReply(Received, Durable);
                    await SendAsync(replyRequested: false, ended.Token);
                }
            }
        }
        catch (Exception) when (!ended.IsCancellationRequested)
        {
            await ended.CancelAsync();
            throw;
        }
    }

    private TimeSpan WaitTime()
    {
        var owed = Interlocked.Read(ref replyOwedSince);
        if (owed == 0)
        {
            return statusInterval;
        }

        var left = ReplyBound - clock.GetElapsedTime(owed);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < statusInterval ? left : statusInterval;
    }

    private ValueTask SendAsync(bool replyRequested, CancellationToken cancellationToken)
    {
        // Durable is read first: what becomes durable in between was received before.
        var durable = Durable;
        var (write, flush) = acknowledgement.Next(Received, durable);
        return stream.SendStatusAsync(write, flush, flush, replyRequested, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The server asked for an answer and the store did not take the WAL in time: received {Received}, durable {Durable}.")]
    private partial void LogLateReply(Lsn received, Lsn durable);
}
