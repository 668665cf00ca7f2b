namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>
/// Ends what waits for a server that has not said anything for too long, whatever TCP believes. A server that lives sends newlines while it prepares a copy, the copy,
/// and PINGs in the stream.
/// </summary>
internal sealed class SilenceWatch : IAsyncDisposable
{
    /// <summary>Six of the server's own pings (repl-ping-replica-period 10), and its own patience (repl-timeout 60).</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    /// <summary>It looks so many times within its bound: what is late by a twelfth is early enough, and each look wakes an agent at rest.</summary>
    private const int Looks = 12;

    private readonly CancellationTokenSource ended;
    private readonly CancellationToken outer;
    private readonly ITimer timer;

    public SilenceWatch(RespReader reader, TimeSpan bound, TimeProvider clock, CancellationToken outer)
    {
        this.outer = outer;
        ended = CancellationTokenSource.CreateLinkedTokenSource(outer);
        timer = clock.CreateTimer(
            _ =>
            {
                if (reader.IsWaiting && clock.GetElapsedTime(reader.WaitingSince) > bound)
                {
                    ended.Cancel();
                }
            },
            null,
            bound / Looks,
            bound / Looks);
    }

    public CancellationToken Token => ended.Token;

    /// <summary>Was it this watch that ended it?</summary>
    public bool HasEnded => ended.IsCancellationRequested && !outer.IsCancellationRequested;

    public async ValueTask DisposeAsync()
    {
        await timer.DisposeAsync();
        ended.Dispose();
    }
}
