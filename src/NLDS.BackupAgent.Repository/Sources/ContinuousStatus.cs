namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A tail at one moment.</summary>
public sealed record ContinuousStatus
{
    /// <summary>In words: <c>streaming</c>, <c>connecting</c>, <c>waiting: …</c>, <c>stopped</c>.</summary>
    public required string State { get; init; }

    public bool IsStreaming { get; init; }

    /// <summary>The line of history that the positions belong to, as the source writes it (a timeline, a replication id); null before the first connection.</summary>
    public string? Lineage { get; init; }

    /// <summary>Everything before this position is durable in the repository. Null before the first connection.</summary>
    public ulong? DurablePosition { get; init; }

    /// <summary>The end of the server's log as it last said.</summary>
    public ulong? ServerPosition { get; init; }

    /// <summary>The newest moment, by the server's clock, that a restore would reach; null while there is no snapshot to begin from.</summary>
    public DateTimeOffset? RecoverableUntil { get; init; }

    /// <summary>The same moment by this process's clock.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>How long a restore to the newest moment should take now; null while none is possible.</summary>
    public TimeSpan? RestoreEstimate { get; init; }

    /// <summary>Gaps in the log since the repository began.</summary>
    public int Gaps { get; init; }

    /// <summary>
    /// How much more of its log the server keeps for this tail before it throws the oldest away, which would be a gap; 0 when it has. Null when it keeps everything,
    /// or does not tell.
    /// </summary>
    public long? LogRoomBytes { get; init; }

    /// <summary>How much that is when the tail is not behind; null as above.</summary>
    public long? LogRoomLimitBytes { get; init; }

    /// <summary>Why a fresh snapshot is needed now (none yet, a gap, a new line of history), or null.</summary>
    public string? SnapshotNeeded { get; init; }

    /// <summary>How late a turn of the tail is that waits for nobody; zero while it waits for the server or the store, or is on time. See <see cref="LoopPulse"/>.</summary>
    public TimeSpan OverdueBy { get; init; }

    /// <summary>What last went wrong, cleared when the tail streams again.</summary>
    public string? LastError { get; init; }
}
