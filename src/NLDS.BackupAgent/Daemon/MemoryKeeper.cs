namespace NLDS.BackupAgent.Daemon;

/// <summary>
/// Gives memory back when the agent has become quiet. Nothing else would: what load left behind is collected only when more is allocated, and an idle agent
/// allocates next to nothing.
/// </summary>
internal sealed class MemoryKeeper(LoopPulses pulses) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    /// <summary>Who allocates no more than this in an interval is at rest.</summary>
    private const long RestBytes = 4 << 20;

    /// <summary>So much has to have been allocated for another collection, which takes some 20 ms, to be worth it.</summary>
    private const long WorthwhileBytes = 8 << 20;

    /// <summary>More program than an agent at rest uses.</summary>
    internal const long WorthwhileProgramBytes = 48 << 20;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of("the memory's keeper");
        var (before, collected) = (GC.GetTotalAllocatedBytes(), 0L);
        await pulse.WaitAsync(Interval, stoppingToken);
        for (; !stoppingToken.IsCancellationRequested; await pulse.WaitAsync(Interval, stoppingToken))
        {
            var now = GC.GetTotalAllocatedBytes();
            var isAtRest = now - before < RestBytes;
            before = now;
            if (isAtRest && now - collected > WorthwhileBytes)
            {
                ProcessMemory.GiveBack();
                collected = now;
            }

            if (isAtRest && MappedPrograms.ResidentBytes() > WorthwhileProgramBytes)
            {
                MappedPrograms.LetGo();
            }
        }
    }
}
