namespace NLDS.BackupAgent.Postgres.Tail;

/// <summary>How long the tail waits for whom. Not for users: each has one right value, and tests that must not wait for it.</summary>
internal sealed record TailTiming
{
    public static TailTiming Default { get; } = new();

    /// <summary>The first pause after a failure; doubled each time, so that a server that is down for a minute is tried a handful of times.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A server that is stopping must not be met by a new stream at once: it would wait for that one too.</summary>
    public TimeSpan PauseAfterShutdown { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a server that stops may be kept waiting for the store. It asks once and waits; a store that has not answered by then does not get to hold the
    /// server up.
    /// </summary>
    public TimeSpan ReplyBound { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After this long without a word the connection is dead, whatever TCP believes; a live server answers our own pings.</summary>
    public TimeSpan SilenceBound { get; init; } = TimeSpan.FromSeconds(60);
}
