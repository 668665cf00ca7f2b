using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Redis.Backup;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>
/// Is a replica for ever: connects, asks the server to go on behind the repository's own frontier, streams, and begins again after whatever ends the stream. Where
/// the server can no longer go on there, its whole copy comes first and becomes a base. Nothing is remembered between connections that the repository does not hold.
/// </summary>
internal sealed partial class RedisTail(
    RedisOptions options, RedisCatalog catalog, BackupRepository repository, LineageGuard guard, WriterLeases leases, TimeProvider clock, ILogger<RedisTail> logger)
{
    private readonly FreshBase fresh = new();
    private readonly WriterLease lease = leases.For(RedisCatalog.Source);
    private bool copyFailed;

    /// <summary>How many times in a row what the server went on with was not made of commands.</summary>
    private int nonsense;

    internal TailTiming Timing { get; init; } = TailTiming.Default;

    public TailState State { get; } = new(options, clock);

    /// <summary>A base that came with the stream and that nobody has asked for yet: a second one would only fork the server again.</summary>
    public SealedBackup? TakeFreshBase() => fresh.Take(clock.GetUtcNow());

    /// <summary>Tails until stopped. An exception means that going on would be wrong, or that somebody has to change something first.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        string? reason = null;
        try
        {
            await FollowAsync(stopping);
        }
        catch (Exception interrupted) when (stopping.IsCancellationRequested && (interrupted is OperationCanceledException || IsSurvivable(interrupted)))
        {
            if (interrupted is not OperationCanceledException)
            {
                LogEndedAbruptly(Explain(interrupted).Message);
            }
        }
        catch (Exception failure)
        {
            reason = failure.Message;
            throw failure is LogDivergedException ? new SourceException(failure.Message, isPermanent: true, failure) : failure;
        }
        finally
        {
            State.Stopped(reason);
        }
    }

    private async Task FollowAsync(CancellationToken stopping)
    {
        LeaseHold? hold = null;
        try
        {
            await FollowAsync(async () => hold ??= await lease.HoldAsync(stopping), stopping);
        }
        finally
        {
            await (hold?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    /// <param name="holdLease">Makes sure that this process is the one that writes.</param>
    private async Task FollowAsync(Func<Task> holdLease, CancellationToken stopping)
    {
        var pause = Timing.FirstPause;
        while (!stopping.IsCancellationRequested)
        {
            var began = clock.GetTimestamp();
            try
            {
                State.Connecting();
                await repository.PrepareAsync(stopping);
                await holdLease();
                await StreamAsync(stopping);
            }
            catch (Exception failure) when (IsSurvivable(failure) && !stopping.IsCancellationRequested)
            {
                var explained = Explain(failure);
                if (explained.IsPermanent)
                {
                    throw explained;
                }

                // A stream that had worked for a while starts the count anew.
                var longest = copyFailed ? Timing.LongestPauseAfterCopy : Timing.LongestPause;
                pause = !copyFailed && clock.GetElapsedTime(began) > Timing.LongestPause ? Timing.FirstPause : pause;
                var wait = pause * (0.75 + (Random.Shared.NextDouble() / 2));
                pause = pause * 2 < longest ? pause * 2 : longest;
                State.Waiting(explained.Message);
                LogInterrupted(explained.Message, wait.TotalSeconds);
                await Task.Delay(wait, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>One connection, one stream.</summary>
    private async Task StreamAsync(CancellationToken stopping)
    {
        copyFailed = false;
        var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, stopping);
        await using var owned = connection;
        await lease.RequireAsync(stopping);
        var archive = catalog.OpenLog(writer: lease);
        await archive.PrepareAsync(stopping);
        var bases = await catalog.ListBasesAsync(stopping);
        var inventory = await RedisCatalog.RemoveCoveredChunksAsync(archive, await archive.ReadInventoryAsync(stopping), stopping);
        var frontier = TailStart.Decide(inventory, bases);
        State.CountGaps(inventory.Gaps.Count);
        State.RestoresFrom(bases.LastOrDefault(b => b.Details.Position is not null));
        var admission = await guard.AdmitAsync(connection, info, ArchiveEnd.Of(inventory, bases), stopping);
        await Replication.IntroduceAsync(connection, onlySnapshot: false, stopping);
        var from = await GoOnFromAsync(frontier, archive, inventory, bases, stopping);
        var start = await Replication.SynchroniseAsync(connection, from, Timing.SynchroniseBound, clock, stopping);
        var answeredAt = clock.GetUtcNow();
        admission = await guard.ConfirmAsync(admission, start.Position.ReplicationId, isContinuation: !start.IsFull, stopping);
        if (start.IsFull)
        {
            await RecordGapAsync(archive, frontier, start.Position, stopping);
            await TakeCopyAsync(connection, start.Position, answeredAt, info, stopping);
            await guard.RecordAsync(admission, stopping);
        }
        else if (frontier is { } before && before.ReplicationId != start.Position.ReplicationId)
        {
            var change = new LineageSwitch(start.Position.ReplicationId, before.Offset, before.ReplicationId);
            await archive.PutFileAsync(change.FileName, change.Content, stopping);
            LogSwitched(before, start.Position);
        }

        var writing = new LogWriterOptions { FlushInterval = options.Stream.FlushInterval, FlushBytes = options.Stream.FlushBytes };
        await using var session = new StreamSession(connection, catalog, lease, inventory, start.Position, writing, State, Timing, clock, logger);
        LogStreaming(start.Position, start.IsFull ? "behind a whole copy" : "where the repository ended");
        try
        {
            await session.RunAsync(stopping);
        }
        catch (Exception ended)
        {
            nonsense = ended is ProtocolException && !start.IsFull ? nonsense + 1 : 0;
            throw;
        }
    }

    /// <summary>
    /// The very end of what is stored. Where that turned out to lie inside a command, its beginning, from which the writer compares what it has already; and where that did
    /// not help either, nowhere.
    /// </summary>
    private async Task<StreamPosition?> GoOnFromAsync(
        StreamPosition? frontier, LogArchive archive, LogInventory inventory, IEnumerable<RedisBase> bases, CancellationToken cancellationToken) => (nonsense, frontier) switch
    {
        (0, _) or (_, null) => frontier,
        (1, { } end) => await CommandBoundary.FindAsync(archive, inventory, bases, end, cancellationToken),
        _ => null,
    };

    /// <summary>The server sends everything it has: that is a base like any other.</summary>
    private async Task TakeCopyAsync(RedisConnection connection, StreamPosition position, DateTimeOffset at, ServerInfo info, CancellationToken cancellationToken)
    {
        State.Copying();
        copyFailed = true;
        var taken = await BaseCopy.TakeAsync(
            connection, repository, lease, position, at, info.Version, new Progress<TransferProgress>(), Timing.SilenceBound, clock, cancellationToken);
        copyFailed = false;
        fresh.Put(taken.Sealed, clock.GetUtcNow());
        State.RestoresFrom(taken);
        LogBase(taken.Sealed.Id, taken.Details.Keys, position);
    }

    /// <summary>Whether the server lost its backlog or its history, what it wrote behind the frontier will not come any more.</summary>
    private async Task RecordGapAsync(LogArchive archive, StreamPosition? frontier, StreamPosition position, CancellationToken cancellationToken)
    {
        if (frontier is not { } end)
        {
            return;
        }

        var isSame = end.ReplicationId == position.ReplicationId;
        if (isSame && position.Offset == end.Offset)
        {
            return;
        }

        var gap = new LogGap(
            end.ReplicationId,
            end.Offset,
            isSame && position.Offset > end.Offset ? position.Offset : end.Offset,
            isSame
                ? "The server no longer had this part of the stream (repl-backlog-size); a new base follows it."
                : $"The server could not go on with this history: it now has {position.ReplicationId}, which begins here with a base at {position.Offset}.",
            clock.GetUtcNow());
        await archive.RecordGapAsync(gap, cancellationToken);
        State.CountGaps((await archive.ReadInventoryAsync(cancellationToken)).Gaps.Count);
        LogGap(end, position);
    }

    private static bool IsSurvivable(Exception failure) =>
        RedisFailure.IsExpected(failure) || failure.IsStoreFailure()
        || failure is SourceException or NotRestorableException or InvalidDataException or OperationCanceledException;

    private SourceException Explain(Exception failure) => failure switch
    {
        SourceException explained => explained,
        _ when failure.IsStoreFailure() => new SourceException(failure.Message, isPermanent: false, failure),
        NotRestorableException damage => new SourceException(damage.Message, isPermanent: false, damage),
        InvalidDataException damage => new SourceException($"The server's copy was discarded: {damage.Message}.", isPermanent: false, damage),
        OperationCanceledException => new SourceException("The operation took too long and was given up.", isPermanent: false, failure),
        _ => RedisFailure.Explain(failure, options),
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "Streaming from {Position}, {How}.")]
    private partial void LogStreaming(StreamPosition position, string how);

    [LoggerMessage(Level = LogLevel.Information, Message = "Base {Id} came with the stream: {Keys} keys at {Position}.")]
    private partial void LogBase(BackupId id, long? keys, StreamPosition position);

    [LoggerMessage(Level = LogLevel.Information, Message = "The history {Before} goes on as {After}.")]
    private partial void LogSwitched(StreamPosition before, StreamPosition after);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The stream is interrupted: {Reason} Trying again in {Seconds:F1} s.")]
    private partial void LogInterrupted(string reason, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The stream ended abruptly: {Reason}")]
    private partial void LogEndedAbruptly(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The server could not go on behind {Frontier}; it sends everything anew from {Position}. A gap was recorded; what is stored stays restorable.")]
    private partial void LogGap(StreamPosition frontier, StreamPosition position);
}
