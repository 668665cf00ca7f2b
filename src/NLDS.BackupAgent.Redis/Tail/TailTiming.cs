namespace NLDS.BackupAgent.Redis.Tail;

/// <summary>How long the tail waits for whom. Not for users: each has one right value, and tests that must not wait for it.</summary>
internal sealed record TailTiming
{
    public static TailTiming Default { get; } = new();

    /// <summary>The first pause after a failure; doubled each time, so that a server that is down for a minute is tried a handful of times.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After a copy that failed: every attempt costs the server a fork.</summary>
    public TimeSpan LongestPauseAfterCopy { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>As a replica does; the server gives up one that is silent for repl-timeout (60 s).</summary>
    public TimeSpan AcknowledgeInterval { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan SilenceBound { get; init; } = Protocol.SilenceWatch.Bound;

    /// <summary>How long PSYNC may wait for the server to begin: behind somebody else's BGSAVE it takes as long as that.</summary>
    public TimeSpan SynchroniseBound { get; init; } = TimeSpan.FromMinutes(30);
}
