using NLDS.BackupAgent.Daemon;
using Quartz;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What the scheduler fires for no other purpose than to show that it fires.</summary>
internal sealed class SchedulerPulse(LoopPulses pulses) : IJob
{
    public const string Name = "the scheduler";

    public static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    public ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken)
    {
        pulses.Of(Name).Turn(Every);
        return ValueTask.CompletedTask;
    }
}
