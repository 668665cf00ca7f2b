namespace NLDS.BackupAgent.Testing;

/// <summary>A clock that runs so many times as fast as the machine's, for what ends only after a bound of a minute.</summary>
public sealed class HurriedClock(int times) : TimeProvider
{
    private readonly DateTimeOffset began = System.GetUtcNow();
    private readonly long beganAt = System.GetTimestamp();

    public override long TimestampFrequency => System.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => began + (System.GetElapsedTime(beganAt) * times);

    public override long GetTimestamp() => beganAt + ((System.GetTimestamp() - beganAt) * times);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new HurriedTimer(System.CreateTimer(callback, state, Hurried(dueTime), Hurried(period)), this);

    private TimeSpan Hurried(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / times;

    private sealed class HurriedTimer(ITimer timer, HurriedClock clock) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(clock.Hurried(dueTime), clock.Hurried(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
