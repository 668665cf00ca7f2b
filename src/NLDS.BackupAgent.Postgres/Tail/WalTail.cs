using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>
/// Follows a cluster's write-ahead log for ever: connects, makes sure that this is the cluster and the history that the repository continues, streams from the
/// repository's own frontier, and begins again after whatever ends the stream. Nothing is remembered between connections that the repository does not hold.
/// </summary>
internal sealed partial class WalTail(
    PostgresOptions options, PostgresCatalog catalog, PostgresSql sql, WriterLeases leases, LineageGuard guard, TimeProvider clock, ILogger<WalTail> logger)
{
    /// <summary>A question to a server that may be busy stopping.</summary>
    private static readonly TimeSpan ProbeTime = TimeSpan.FromSeconds(3);

    private readonly WriterLease lease = leases.For(PostgresCatalog.Source);

    /// <summary>A start that a server refused because the overlap is gone; the next attempt goes without.</summary>
    private TailStart? refusedOverlap;

    private bool hasReadAll;

    internal TailTiming Timing { get; init; } = TailTiming.Default;

    private ConnectionSettings Settings => options.ToConnectionSettings(clock) with { AnswerTimeout = Timing.SilenceBound };

    public TailState State { get; } = new(clock);

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
            TimeSpan wait;
            var began = clock.GetTimestamp();
            try
            {
                State.Connecting();
                await holdLease();
                wait = await StreamAsync(stopping);
            }
            catch (Exception failure) when (IsSurvivable(failure) && !stopping.IsCancellationRequested)
            {
                var explained = Explain(failure);
                if (explained.IsPermanent)
                {
                    throw explained;
                }

                // A stream that had worked for a while starts the count anew.
                pause = clock.GetElapsedTime(began) > Timing.LongestPause ? Timing.FirstPause : pause;
                wait = pause * (0.75 + (Random.Shared.NextDouble() / 2));
                pause = pause * 2 < Timing.LongestPause ? pause * 2 : Timing.LongestPause;
                State.SlotIsHeld = failure is PostgresServerException { SqlState: SqlStates.ObjectInUse };
                State.Waiting(explained.Message);
                LogInterrupted(explained.Message, wait.TotalSeconds);
            }

            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>One connection, one stream. Returns how long to wait before the next.</summary>
    private async Task<TimeSpan> StreamAsync(CancellationToken stopping)
    {
        await using var connection = await ReplicationConnection.OpenAsync(Settings, stopping);
        var server = await connection.IdentifySystemAsync(stopping);
        var size = await connection.ShowWalSegmentSizeAsync(stopping);
        await lease.RequireAsync(stopping);
        await catalog.BindAsync(server.SystemIdentifier, size, stopping);
        var archive = catalog.OpenLog(size, lease);
        await archive.PrepareAsync(stopping);
        var lineage = await ServerLineage.ReadAsync(connection, server, stopping);
        var history = lineage.History;
        var inventory = await ReadInventoryAsync(archive, history, stopping);

        // Before there is a slot: a copy that is refused would keep its WAL for nobody until its disk is full.
        await guard.RequireAsync(lineage, archive, inventory, stopping);
        var found = await ReadSlotAsync(connection, stopping);
        var slot = found ?? await CreateSlotAsync(connection, stopping);

        // Asked after the listing: another agent may have archived WAL that the server wrote since the first question, and that is no server set back.
        var position = (await connection.IdentifySystemAsync(stopping)).Position;
        var start = TailStart.Decide(inventory, history, position, slot, size, server.IsStandby);
        start = start == refusedOverlap ? start.WithoutOverlap(size) : start;
        if (start.IsFirst && found?.Position is { } held)
        {
            LogBeginsAnew(catalog.Description, options.Slot, held);
        }

        // Only now: a server that must not be followed leaves no trace of its history either.
        foreach (var file in lineage.Files)
        {
            await archive.PutFileAsync(file.FileName, file.Content, stopping);
        }

        await JudgeBackupsAsync(inventory, history, stopping);
        inventory = await PostgresCatalog.RemoveCoveredChunksAsync(archive, inventory, stopping);
        var interval = await StatusIntervalAsync(connection, stopping);
        try
        {
            var stream = await connection.StartReplicationAsync(options.Slot, start.Start, start.Timeline, stopping);
            return await StreamAsync(stream, archive, inventory, start, size, interval, stopping);
        }
        catch (PostgresServerException removed) when (removed.SqlState == SqlStates.UndefinedFile)
        {
            if (start.Start < size.RoundDown(start.Frontier))
            {
                refusedOverlap = start;
                return TimeSpan.Zero;
            }

            return await RecordGapAsync(archive, start, history, server, size, removed, stopping);
        }
        catch (PostgresServerException invalidated) when (invalidated.SqlState == SqlStates.ObjectNotInPrerequisiteState)
        {
            if (!await IsSlotLostAsync(stopping))
            {
                throw;
            }

            LogSlotLost(options.Slot, invalidated.ServerMessage);
            await using var another = await ReplicationConnection.OpenAsync(Settings, stopping);
            await another.DropSlotAsync(options.Slot, stopping);
            return TimeSpan.Zero;
        }
    }

    /// <summary>
    /// All of the log when this process begins, so that a hole in it is filled while the server still has the WAL; after that its end is enough, and a year's log is
    /// not listed each time that a connection is lost.
    /// </summary>
    private async Task<LogInventory> ReadInventoryAsync(LogArchive archive, TimelineHistory history, CancellationToken cancellationToken)
    {
        if (hasReadAll && await archive.ReadEndAsync(cancellationToken) is var end && TailStart.IsToldBy(end, history))
        {
            return end;
        }

        var all = await archive.ReadInventoryAsync(cancellationToken);
        hasReadAll = true;
        return all;
    }

    private async Task<TimeSpan> StreamAsync(
        WalStream stream,
        LogArchive archive,
        LogInventory inventory,
        TailStart start,
        WalSegmentSize size,
        TimeSpan statusInterval,
        CancellationToken stopping)
    {
        var lineage = WalNaming.Lineage(start.Timeline);
        var observer = new WalObserver(start.Start, start.Timeline, size);
        using var durableAdvanced = new SemaphoreSlim(0);
        await using var writer = new LogWriter(
            archive,
            new LogWriterOptions
            {
                FlushInterval = options.Wal.FlushInterval,
                FlushBytes = options.Wal.FlushBytes,
                Synchronous = options.Wal.Synchronous,
            },
            lineage,
            start.Start.Value,
            inventory.Pieces.Where(p => p.Lineage == lineage && p.Range.End > start.Start.Value),
            observer,
            () => durableAdvanced.Release(),
            clock,
            logger);
        State.Streaming(start.Timeline, start.Frontier, writer);
        LogStreaming(start.Start, start.Timeline, start.Frontier);
        using var session = new WalSession(
            stream, writer, State, start.Acknowledged, statusInterval, durableAdvanced, IsStoppingAsync, Timing, clock, logger);
        var end = await session.RunAsync(stopping);
        switch (end)
        {
            case WalMessageKind.EndOfTimeline:
                LogEndOfTimeline(start.Timeline, new Lsn(writer.DurablePosition));
                State.Connecting();
                return TimeSpan.Zero;
            case WalMessageKind.ServerShutdown:
                LogShutdown(new Lsn(writer.DurablePosition));
                State.Waiting("The server was shut down.");
                return Timing.PauseAfterShutdown;
            default:
                using (var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2), clock))
                {
                    await stream.StopAsync(limit.Token);
                }

                State.Connecting();
                return TimeSpan.Zero;
        }
    }

    /// <summary>The slot comes before anything else: without it the server may drop WAL that nobody has yet.</summary>
    private async Task<SlotPositionOrNone> CreateSlotAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        await connection.CreatePhysicalSlotAsync(options.Slot, temporary: false, cancellationToken);
        LogSlotCreated(options.Slot);
        return await ReadSlotAsync(connection, cancellationToken) ?? default;
    }

    private async Task<SlotPositionOrNone?> ReadSlotAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        if (connection.ServerMajorVersion >= 15)
        {
            var slot = await connection.ReadReplicationSlotAsync(options.Slot, cancellationToken);
            return slot is null ? null : new SlotPositionOrNone(slot.RestartLsn, slot.RestartTimeline);
        }

        var state = await sql.ReadSlotAsync(options.Slot, cancellationToken);
        return state is null ? null : new SlotPositionOrNone(state.RestartLsn is { } lsn ? Lsn.Parse(lsn) : null, null);
    }

    /// <summary>A slot that is merely of another kind, or a server that is merely not ready, must not cost a slot.</summary>
    private async Task<bool> IsSlotLostAsync(CancellationToken cancellationToken) =>
        await sql.ReadSlotAsync(options.Slot, cancellationToken) is { Type: "physical", Active: false, WalStatus: "lost" };

    /// <summary>A server that is stopping refuses newcomers and says why.</summary>
    private async Task<bool> IsStoppingAsync(CancellationToken cancellationToken)
    {
        try
        {
            var settings = Settings with { ConnectTimeout = ProbeTime };
            await using var connection = await ReplicationConnection.OpenAsync(settings, cancellationToken);
            return false;
        }
        catch (Exception refused) when (PostgresFailure.IsExpected(refused))
        {
            return refused is PostgresServerException { SqlState: SqlStates.CannotConnectNow };
        }
    }

    /// <summary>Is there a base backup from which the log that is being received can be reached?</summary>
    private async Task JudgeBackupsAsync(LogInventory inventory, TimelineHistory history, CancellationToken cancellationToken)
    {
        State.CountGaps(inventory.Gaps.Count);
        var newest = await catalog.NewestAsync(history, cancellationToken);
        State.RestoresFrom(newest);
        State.NeedSnapshot(PostgresCatalog.WhySnapshotNeeded(newest, inventory, history));
    }

    /// <summary>
    /// What the server removed before it was durable is recorded as missing: on a timeline that has ended up to its end at most, otherwise up to where the
    /// server has WAL again.
    /// </summary>
    private async Task<TimeSpan> RecordGapAsync(
        LogArchive archive,
        TailStart start,
        TimelineHistory history,
        SystemIdentity server,
        WalSegmentSize size,
        PostgresServerException removed,
        CancellationToken cancellationToken)
    {
        var lineage = WalNaming.Lineage(start.Timeline);
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        if (inventory.Cover(lineage, start.Frontier.Value).End > start.Frontier.Value)
        {
            // This very stream brought something before it broke off: the gap, if there is one, begins later.
            return TimeSpan.Zero;
        }

        var slot = await sql.ReadSlotAsync(options.Slot, cancellationToken);
        var held = slot?.RestartLsn is { } lsn ? size.RoundDown(Lsn.Parse(lsn)) : size.RoundDown(server.Position);
        var later = inventory.Pieces.Where(p => p.Lineage == lineage && p.Range.Start > start.Frontier.Value).Select(p => p.Range.Start).ToList();
        var end = later.Count > 0 ? Lsn.Min(new Lsn(later.Min()), held) : held;
        end = history.SwitchPointOf(start.Timeline) is { } switchPoint ? Lsn.Min(switchPoint, end) : end;
        if (end <= start.Frontier)
        {
            throw new SourceException(
                $"The server no longer has WAL from {start.Start} on timeline {start.Timeline}, although slot '{options.Slot}' should hold it: {removed.Message}",
                isPermanent: false);
        }

        await archive.RecordGapAsync(
            new LogGap(lineage, start.Frontier.Value, end.Value, removed.ServerMessage, clock.GetUtcNow()), cancellationToken);
        LogGap(start.Frontier, end, start.Timeline);
        return TimeSpan.Zero;
    }

    /// <summary>Often enough for the server's patience and for a fresh recovery point, whichever needs more.</summary>
    private async Task<TimeSpan> StatusIntervalAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        var patience = ServerTime.Parse(await connection.ShowAsync("wal_sender_timeout", cancellationToken));
        var often = options.Wal.FlushInterval < TimeSpan.FromSeconds(1) ? TimeSpan.FromSeconds(1) : options.Wal.FlushInterval;
        often = often > TimeSpan.FromSeconds(10) ? TimeSpan.FromSeconds(10) : often;
        return patience > TimeSpan.Zero && patience / 3 < often ? patience / 3 : often;
    }

    private static bool IsSurvivable(Exception failure) =>
        PostgresFailure.IsExpected(failure) || failure.IsStoreFailure()
        || failure is SourceException or NotRestorableException or OperationCanceledException;

    private SourceException Explain(Exception failure) => failure switch
    {
        SourceException explained => explained,
        _ when failure.IsStoreFailure() => new SourceException(failure.Message, isPermanent: false, failure),
        NotRestorableException damage => new SourceException(damage.Message, isPermanent: false, damage),
        OperationCanceledException => new SourceException("The operation took too long and was given up.", isPermanent: false, failure),
        _ => PostgresFailure.Explain(failure, options),
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "Streaming WAL from {Start} on timeline {Timeline}; durable up to {Frontier}.")]
    private partial void LogStreaming(Lsn start, uint timeline, Lsn frontier);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Repository} has no WAL of this server, although slot '{Slot}' holds it from {Position} on, as if an agent had used it: a new archive begins here. Is this the right store, is its volume "
            + "mounted? With Repository:Create set to false nothing would have begun.")]
    private partial void LogBeginsAnew(string repository, string slot, Lsn position);

    [LoggerMessage(Level = LogLevel.Information, Message = "Created replication slot '{Slot}'.")]
    private partial void LogSlotCreated(string slot);

    [LoggerMessage(Level = LogLevel.Warning, Message = "WAL streaming is interrupted: {Reason} Trying again in {Seconds:F1} s.")]
    private partial void LogInterrupted(string reason, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "WAL streaming ended abruptly: {Reason} What was not durable is still kept by the server.")]
    private partial void LogEndedAbruptly(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Timeline {Timeline} has ended; durable up to {Durable}.")]
    private partial void LogEndOfTimeline(uint timeline, Lsn durable);

    [LoggerMessage(Level = LogLevel.Information, Message = "The server was shut down; its WAL is durable up to {Durable}.")]
    private partial void LogShutdown(Lsn durable);

    [LoggerMessage(Level = LogLevel.Error, Message = "Replication slot '{Slot}' was lost ({Reason}); it is made anew.")]
    private partial void LogSlotLost(string slot, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The server removed WAL from {From} to {To} on timeline {Timeline} before it was durable: a gap was recorded, a base backup follows.")]
    private partial void LogGap(Lsn from, Lsn to, uint timeline);
}
