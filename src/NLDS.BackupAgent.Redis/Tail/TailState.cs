using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>What the tail tells others of itself. Written by the tail, read by anybody.</summary>
internal sealed class TailState(RedisOptions options, TimeProvider clock)
{
    private readonly Lock gate = new();
    private string state = "stopped";
    private string? lineage;
    private LogWriter? writer;
    private ulong? lastDurable;
    private DateTimeOffset? lastRecoverable;
    private ulong? serverEnd;
    private RedisBase? restoresFrom;
    private int gaps;
    private string? lastError;

    /// <summary>Of the loop that acknowledges while there is a stream.</summary>
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
                Lineage = lineage,
                DurablePosition = lastDurable,
                ServerPosition = serverEnd,
                RecoverableUntil = restoresFrom is null ? null : lastRecoverable,
                ConfirmedAt = restoresFrom is null ? null : lastRecoverable,
                RestoreEstimate = restoresFrom is { } from ? RestoreRates.Estimate(from.Sealed.ContentBytes, StreamBytes(from)) : null,
                Gaps = gaps,
                SnapshotNeeded = WhySnapshotNeeded(),
                OverdueBy = Pulse.OverdueBy,
                LastError = lastError,
            };
        }
    }

    /// <summary>The server is sending everything it has.</summary>
    public bool IsCopying
    {
        get
        {
            lock (gate)
            {
                return state == "copying";
            }
        }
    }

    public void Connecting() => Set("connecting", null);

    public void Copying() => Set("copying", null);

    public void Waiting(string reason) => Set("waiting", reason);

    public void Stopped(string? reason = null) => Set("stopped", reason);

    public void Streaming(StreamPosition from, LogWriter streamingTo)
    {
        lock (gate)
        {
            Observe();
            (state, lineage, lastDurable, writer, lastError) = ("streaming", from.ReplicationId, from.Offset, streamingTo, null);
            serverEnd = serverEnd > from.Offset ? serverEnd : from.Offset;
        }
    }

    /// <summary>Everything before this offset has come from the server.</summary>
    public void Received(ulong offset)
    {
        lock (gate)
        {
            serverEnd = offset;
        }
    }

    /// <summary>The base that a restore would begin with now; null when there is none.</summary>
    public void RestoresFrom(RedisBase? newest)
    {
        lock (gate)
        {
            restoresFrom = newest;
            lastRecoverable = newest is null || lastRecoverable > newest.Details.At ? lastRecoverable : newest.Details.At;
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

    private long StreamBytes(RedisBase from) => lastDurable > from.Details.Offset ? (long)(lastDurable - from.Details.Offset).Value : 0;

    /// <summary>The longer the stream behind the newest base, the longer a restore replays it.</summary>
    private string? WhySnapshotNeeded()
    {
        if (restoresFrom is not { } from)
        {
            return "there is no base yet";
        }

        var grown = StreamBytes(from);
        var limit = Math.Max(options.Stream.BaseBytes, (long)Math.Min(from.Sealed.ContentBytes * options.Stream.BaseRatio, long.MaxValue / 2));
        return grown > limit ? $"the stream since base {from.Sealed.Id} has grown to {grown >> 20} MiB" : null;
    }

    private void Observe()
    {
        if (writer is not null)
        {
            lastDurable = writer.DurablePosition;
            lastRecoverable = writer.RecoverableUntil ?? lastRecoverable;
        }
    }
}
