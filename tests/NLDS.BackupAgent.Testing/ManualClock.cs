namespace NLDS.BackupAgent.Testing;

/// <summary>A clock that stands still until it is advanced; timers that fall due on the way fire in their order, on the caller's thread.</summary>
public sealed class ManualClock(DateTimeOffset? start = null) : TimeProvider
{
    private readonly Lock gate = new();
    private readonly List<ManualTimer> timers = [];
    private readonly List<(TimeSpan Within, TaskCompletionSource Seen)> waiters = [];
    private DateTimeOffset now = start ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate)
        {
            return now;
        }
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the time on, by stopping at each timer that falls due.</summary>
    public void Advance(TimeSpan by)
    {
        var until = GetUtcNow() + by;
        while (NextDue(until) is { } due)
        {
            due.Fire();
        }
    }

    /// <summary>Moves the time on to the next timer, however far that is. False when nobody waits for the time.</summary>
    public bool AdvanceToNextTimer()
    {
        var due = NextDue(DateTimeOffset.MaxValue);
        due?.Fire();
        return due is not null;
    }

    /// <summary>Completes when somebody waits for a moment at most this far away: how a test knows that a pause has begun.</summary>
    public Task WaitForTimerAsync(TimeSpan within)
    {
        lock (gate)
        {
            var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiters.Add((within, seen));
            TellWaiters();
            return seen.Task;
        }
    }

    /// <summary>Lets a call have all the pauses it wants, as long as none is longer than <paramref name="within"/>.</summary>
    public async Task<T> PassUntilAsync<T>(Task<T> call, TimeSpan within)
    {
        while (await Task.WhenAny(call, WaitForTimerAsync(within)) != call)
        {
            AdvanceToNextTimer();
        }

        return await call;
    }

    private void TellWaiters()
    {
        foreach (var waiter in waiters.Where(waiter => timers.Any(timer => timer.Due - now <= waiter.Within)).ToList())
        {
            waiters.Remove(waiter);
            waiter.Seen.SetResult();
        }
    }

    private ManualTimer? NextDue(DateTimeOffset until)
    {
        lock (gate)
        {
            var due = timers.Where(timer => timer.Due <= until).MinBy(timer => timer.Due);
            var reached = due?.Due ?? until;
            now = reached > now && reached != DateTimeOffset.MaxValue ? reached : now;
            due?.Rearm();
            TellWaiters();
            return due;
        }
    }

    private sealed class ManualTimer(ManualClock clock, Action fire) : ITimer
    {
        private TimeSpan period;

        public DateTimeOffset Due { get; private set; }

        public void Fire() => fire();

        /// <summary>Under the clock's lock.</summary>
        public void Rearm()
        {
            Due += period;
            if (period <= TimeSpan.Zero)
            {
                clock.timers.Remove(this);
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock.gate)
            {
                clock.timers.Remove(this);
                this.period = period;
                if (dueTime >= TimeSpan.Zero)
                {
                    Due = clock.now + dueTime;
                    clock.timers.Add(this);
                    clock.TellWaiters();
                }

                return true;
            }
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
