namespace NLDS.BackupAgent.Daemon;

/// <summary>The loop that does nothing but turn: when it does not, timers or threads of the process are stuck, whatever the other loops are waiting for.</summary>
internal sealed class Heartbeat(LoopPulses pulses) : BackgroundService
{
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of("the heartbeat");
        while (!stoppingToken.IsCancellationRequested)
        {
            await pulse.WaitAsync(Every, stoppingToken);
        }
    }
}
