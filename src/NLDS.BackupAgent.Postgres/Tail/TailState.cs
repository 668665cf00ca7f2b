using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>What the tail tells others of itself. Written by the tail, read by anybody.</summary>
internal sealed class TailState(TimeProvider clock)
{
    private readonly Lock gate = new();
    private string state = "stopped";
    private uint? timeline;
    private LogWriter? writer;
    private Lsn? lastDurable;
    private DateTimeOffset? lastRecoverable;
    private TimeSpan? serverBehind;
    private bool slotIsHeld;
    private (long ContentBytes, Lsn Start)? baseBackup;
    private int gaps;
    private SnapshotNeed? snapshotNeeded;
    private Lsn frontier;
    private string? lastError;

    /// <summary>Of the loop that speaks with the server while there is a stream.</summary>
    public LoopPulse Pulse { get; } = new(clock);

    public ContinuousStatus Read()
    {
        lock (gate)
        {
            Observe();
            return new ContinuousStatus
            {
                State = state,
                IsStreaming = writer is not null,
                Lineage = timeline is { } t ? WalNaming.Lineage(t) : null,
                DurablePosition = lastDurable?.Value,
                ServerPosition = writer?.SourceEnd is { } end && end > 0 ? end : null,
                RecoverableUntil = snapshotNeeded is { LogIsReachable: false } ? null : lastRecoverable,
                ConfirmedAt = snapshotNeeded is { LogIsReachable: false } ? null : lastRecoverable + (serverBehind ?? TimeSpan.Zero),
                RestoreEstimate = RestoreEstimate(),
                Gaps = gaps,
                SnapshotNeeded = snapshotNeeded?.Reason,
                OverdueBy = Pulse.OverdueBy,
                LastError = lastError,
            };
        }
    }

    /// <summary>True when WAL up to <paramref name="position"/> on <paramref name="onTimeline"/> is durable through this tail.</summary>
    public bool HasReached(Lsn position, uint onTimeline)
    {
        lock (gate)
        {
            Observe();
            return timeline == onTimeline && lastDurable >= position;
        }
    }

    public bool IsStopped
    {
        get
        {
            lock (gate)
            {
                return state == "stopped";
            }
        }
    }

    public void Connecting() => Set("connecting", null);

    public void Waiting(string reason) => Set("waiting", reason);

    public void Stopped(string? reason = null) => Set("stopped", reason);

    /// <param name="durable">What was durable before this stream; the writer, to which it comes again, knows of that only with time.</param>
    public void Streaming(uint onTimeline, Lsn durable, LogWriter streamingTo)
    {
        lock (gate)
        {
            (state, timeline, frontier, writer, lastError) = ("streaming", onTimeline, durable, streamingTo, null);
            serverBehind = null;
            slotIsHeld = false;
        }
    }

    /// <summary>The slot is held by another connection, most likely another agent's.</summary>
    public bool SlotIsHeld
    {
        get
        {
            lock (gate)
            {
                return slotIsHeld;
            }
        }

        set
        {
            lock (gate)
            {
                slotIsHeld = value;
            }
        }
    }

    /// <summary>
    /// A message of the server has come. How far its clock is behind ours shows in the message that took least time; alarms go by our clock, because a skewed
    /// server must neither raise nor silence them.
    /// </summary>
    public void Heard(DateTimeOffset sentAt)
    {
        lock (gate)
        {
            var behind = clock.GetUtcNow() - sentAt;
            serverBehind = serverBehind < behind ? serverBehind : behind;
        }
    }

    /// <summary>The server's clock now; null before its first message.</summary>
    public DateTimeOffset? ServerTime
    {
        get
        {
            lock (gate)
            {
                return clock.GetUtcNow() - serverBehind;
            }
        }
    }

    /// <summary>The base backup that a restore would begin with now; null when there is none.</summary>
    public void RestoresFrom(BaseBackup? backup)
    {
        lock (gate)
        {
            baseBackup = backup is null ? null : (backup.BytesToUnpack, backup.Start);
        }
    }

    /// <summary>A base backup is needed for this reason; null when there is one that all the log since continues.</summary>
    public void NeedSnapshot(SnapshotNeed? need)
    {
        lock (gate)
        {
            snapshotNeeded = need;
        }
    }

    public void CountGaps(int count)
    {
        lock (gate)
        {
            gaps = count;
        }
    }

    private void Set(string next, string? error)
    {
        lock (gate)
        {
            Observe();
            (state, writer) = (next, null);
            lastError = error ?? lastError;
        }
    }

    private TimeSpan? RestoreEstimate() =>
        snapshotNeeded is not { LogIsReachable: false } && baseBackup is { } from && lastDurable is { } end && end >= from.Start
            ? RestoreRates.Estimate(from.ContentBytes, (long)(end - from.Start))
            : null;

    private void Observe()
    {
        if (writer is null)
        {
            return;
        }

        lastDurable = Lsn.Max(frontier, new Lsn(writer.DurablePosition));
        lastRecoverable = writer.RecoverableUntil ?? lastRecoverable;
    }
}
