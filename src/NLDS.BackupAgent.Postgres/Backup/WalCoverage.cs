using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Backup;

/// <summary>
/// Sees to it that somebody tails the log while a base backup is taken: this process already, another agent, or else this process for as long as it takes.
/// </summary>
internal sealed partial class WalCoverage(
    PostgresOptions options, WalTail tail, PostgresCatalog catalog, PostgresSql sql, WriterLeases leases, TimeProvider clock, ILogger<WalCoverage> logger)
{
    private readonly WriterLease writer = leases.For(PostgresCatalog.Source);

    /// <summary>Why this process may not tail itself, while it asks for the right to.</summary>
    private volatile LeaseRefusal? otherAgent;

    private TailState Tail => tail.State;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Where another process tails, the repository has to be listed to know how far it is; that is not done ten times a second.</summary>
    private static readonly TimeSpan ListingPoll = TimeSpan.FromSeconds(2);

    /// <summary>Without any progress of the durable log for this long a backup is given up: it would never become consistent.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(5);

    public async Task<TailedLog> EnsureTailedAsync(CancellationToken cancellationToken)
    {
        if (!Tail.IsStopped)
        {
            await WaitUntilAsync(() => Task.FromResult(Tail.Read().IsStreaming), "the WAL stream of this agent begins", Poll, cancellationToken);
            return new TailedLog(this, null, null);
        }

        var stop = new CancellationTokenSource();
        var own = TailWhenAllowedAsync(stop.Token);
        var tailed = new TailedLog(this, own, stop);
        try
        {
            await WaitUntilAsync(
                async () =>
                {
                    if (own.IsCompleted)
                    {
                        await own;
                    }

                    return Tail.Read().IsStreaming || Tail.SlotIsHeld || await OtherAgentStreamsFromHereAsync(cancellationToken);
                },
                "a WAL stream begins",
                ListingPoll,
                cancellationToken);
            if (!Tail.Read().IsStreaming)
            {
                // Ours goes on asking: what holds the slot may be the remains of an agent that died.
                LogOtherAgent();
            }

            return tailed;
        }
        catch
        {
            await tailed.DisposeAsync();
            throw;
        }
    }

    /// <summary>Goes on asking while another agent has the lease: that one may end, or may have died.</summary>
    private async Task TailWhenAllowedAsync(CancellationToken stopping)
    {
        while (true)
        {
            var answer = await writer.TryHoldAsync(stopping);
            otherAgent = answer.Refusal;
            if (answer.Hold is { } hold)
            {
                await using (hold)
                {
                    await tail.RunAsync(stopping);
                    return;
                }
            }

            await Task.Delay(ListingPoll, clock, stopping);
        }
    }

    /// <summary>
    /// The agent that has the lease must stream from this very server: WAL of another would make a backup of a copy look complete that never will be.
    /// </summary>
    private async Task<bool> OtherAgentStreamsFromHereAsync(CancellationToken cancellationToken) =>
        otherAgent is not null && await sql.ReadSlotAsync(options.Slot, cancellationToken) is { Active: true };

    private async Task WaitUntilAsync(Func<Task<bool>> condition, string what, TimeSpan longestPause, CancellationToken cancellationToken)
    {
        var pause = Poll;
        var (began, durable) = (clock.GetTimestamp(), Tail.Read().DurablePosition);
        while (!await condition())
        {
            if (Tail.Read().DurablePosition is var now && now != durable)
            {
                (began, durable) = (clock.GetTimestamp(), now);
            }

            if (clock.GetElapsedTime(began) > Patience)
            {
                var error = otherAgent is { } other
                    ? $"{other.Message} It does not stream from slot '{options.Slot}' of this server, whose backup would miss its log."
                    : Tail.Read().LastError;
                throw new SourceException($"Waited {Patience.TotalMinutes} minutes until {what}, in vain. {error}", isPermanent: false);
            }

            await Task.Delay(pause, clock, cancellationToken);
            pause = pause * 2 < longestPause ? pause * 2 : longestPause;
        }
    }

    private async Task<bool> IsDurableAsync(Lsn start, uint startTimeline, Lsn end, uint endTimeline, CancellationToken cancellationToken)
    {
        var identity = await catalog.RequireIdentityAsync(cancellationToken);
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var first = size.RoundDown(start).Value;
        var inventory = await catalog.OpenLog(size).ReadInventoryFromAsync(WalNaming.Lineage(startTimeline), first, cancellationToken);
        if (startTimeline == endTimeline)
        {
            return inventory.Cover(WalNaming.Lineage(endTimeline), first, end.Value).End >= end.Value;
        }

        // A standby was promoted during the backup: the new timeline's first segment holds the end of the old one.
        var old = inventory.Cover(WalNaming.Lineage(startTimeline), first);
        var lineage = WalNaming.Lineage(endTimeline);
        var child = inventory.Pieces.Where(p => p.Lineage == lineage).Select(p => p.Range.Start).DefaultIfEmpty(ulong.MaxValue).Min();
        return child <= old.End && inventory.Cover(lineage, child, end.Value).End >= end.Value;
    }

    /// <summary>As long as it is held, the log is tailed.</summary>
    internal sealed class TailedLog(WalCoverage coverage, Task? own, CancellationTokenSource? stop) : IAsyncDisposable
    {
        /// <summary>What this process must still hold when the backup is sealed; null when another agent tails.</summary>
        public WriterLease? Writer => coverage.writer.IsHeld ? coverage.writer : null;

        /// <summary>The server's clock now, as the stream has shown it; null when this process has not heard the server's time.</summary>
        public DateTimeOffset? ServerTime => coverage.Tail.ServerTime;

        /// <summary>Waits until the WAL from a backup's start to its end is durable, and proves it from the repository's own listing.</summary>
        public async Task WaitForAsync(Lsn start, uint startTimeline, Lsn end, uint endTimeline, CancellationToken cancellationToken)
        {
            await coverage.WaitUntilAsync(
                async () =>
                {
                    if (own is { IsCompleted: true })
                    {
                        await own;
                    }

                    var tailsHere = coverage.Tail.Read().IsStreaming;
                    return (!tailsHere || coverage.Tail.HasReached(end, endTimeline))
                        && await coverage.IsDurableAsync(start, startTimeline, end, endTimeline, cancellationToken);
                },
                $"WAL up to {end} is durable",
                coverage.Tail.Read().IsStreaming ? Poll : ListingPoll,
                cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            if (stop is not null)
            {
                await stop.CancelAsync();
                await own!.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                stop.Dispose();
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Another agent tails the write-ahead log; the backup waits for what it makes durable.")]
    private partial void LogOtherAgent();
}
