namespace NLDS.BackupAgent.Tests.Fakes;

/// <summary>A clock that moves when told to, and tells when somebody waits on it.</summary>
internal sealed class ManualTime(DateTimeOffset start) : TimeProvider
{
    private readonly Lock gate = new();
    private readonly List<Alarm> alarms = [];
    private readonly List<(Func<TimeSpan, bool> Wanted, TaskCompletionSource Found)> watchers = [];
    private DateTimeOffset now = start;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate)
        {
            return now;
        }
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var alarm = new Alarm(this, () => callback(state));
        alarm.Change(dueTime, period);
        return alarm;
    }

    /// <summary>Ends when somebody waits for a time that is wanted; at once when somebody does already.</summary>
    public Task SomebodyWaitsAsync(Func<TimeSpan, bool> wanted)
    {
        lock (gate)
        {
            if (alarms.Any(alarm => wanted(alarm.Due!.Value - now)))
            {
                return Task.CompletedTask;
            }

            var found = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            watchers.Add((wanted, found));
            return found.Task;
        }
    }

    public void Advance(TimeSpan by)
    {
        List<Alarm> due;
        lock (gate)
        {
            now += by;
            due = [.. alarms.Where(alarm => alarm.Due <= now)];
            alarms.RemoveAll(due.Contains);
        }

        due.ForEach(alarm => alarm.Ring());
    }

    private void Set(Alarm alarm, TimeSpan dueTime)
    {
        lock (gate)
        {
            alarms.Remove(alarm);
            if (dueTime == Timeout.InfiniteTimeSpan)
            {
                return;
            }

            alarm.Due = now + dueTime;
            alarms.Add(alarm);
            foreach (var watcher in watchers.Where(watcher => watcher.Wanted(dueTime)).ToList())
            {
                watchers.Remove(watcher);
                watcher.Found.SetResult();
            }
        }
    }

    private sealed class Alarm(ManualTime time, Action ring) : ITimer
    {
        public DateTimeOffset? Due { get; set; }

        public Action Ring { get; } = ring;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time.Set(this, dueTime);
            return true;
        }

        public void Dispose() => time.Set(this, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
