namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>
/// Whether a loop that turns by itself still does. At each turn it says by when the next one is due; while it waits for what only others can end, a server, the store
/// or a job, it rests, and nothing is due. A loop that is overdue is stuck in this process, and only another process mends that. May be used from any thread.
/// </summary>
public sealed class LoopPulse(TimeProvider clock)
{
    private const long Nothing = long.MaxValue;

    private long due = Nothing;

    /// <summary>How late the turn that is due is; zero when it is not, and when none is.</summary>
    public TimeSpan OverdueBy
    {
        get
        {
            var (now, by) = (clock.GetTimestamp(), Volatile.Read(ref due));
            return now > by ? clock.GetElapsedTime(by, now) : TimeSpan.Zero;
        }
    }

    /// <summary>It turns now, and again within this time.</summary>
    public void Turn(TimeSpan within) => Volatile.Write(ref due, clock.GetTimestamp() + (long)(within.TotalSeconds * clock.TimestampFrequency));

    /// <summary>It waits for others, or has ended.</summary>
    public void Rest() => Volatile.Write(ref due, Nothing);

    /// <summary>Waits for the next turn, or until it is stopped, without an exception. The turn is due until the loop rests.</summary>
    public async Task WaitAsync(TimeSpan wait, CancellationToken stopping)
    {
        Turn(wait);
        await Task.Delay(wait, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (stopping.IsCancellationRequested)
        {
            Rest();
        }
    }
}
