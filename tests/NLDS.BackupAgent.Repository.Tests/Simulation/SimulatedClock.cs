using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>
/// A machine's clocks, as a machine has them: the one that measures durations runs evenly and only when the simulation lets time pass; the calendar follows the
/// world's and is wrong by whatever somebody set it to.
/// </summary>
internal sealed class SimulatedClock(Func<DateTimeOffset> calendar) : TimeProvider
{
    private readonly ManualClock even = new();

    /// <summary>How far this machine's calendar is ahead of the world's, or behind.</summary>
    public TimeSpan Ahead { get; set; }

    public override long TimestampFrequency => even.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => calendar() + Ahead;

    public override long GetTimestamp() => even.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => even.CreateTimer(callback, state, dueTime, period);

    /// <summary>Lets even time pass; timers fall due.</summary>
    public void Advance(TimeSpan by) => even.Advance(by);
}
