namespace NLDS.BackupAgent.Daemon;

/// <summary>
/// Gives memory back when the agent has become quiet. Nothing else would: what load left behind is collected only when more is allocated, and an idle agent
/// allocates next to nothing.
/// </summary>
internal sealed class MemoryKeeper(TimeProvider time) : BackgroundService
{
    /// <summary>A collection takes some 20 ms; once a minute that is a thirtieth of a percent of a core.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>More than an agent at rest has committed.</summary>
    private const long WorthwhileBytes = 12 << 20;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var allocated = GC.GetTotalAllocatedBytes();
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var now = GC.GetTotalAllocatedBytes();
            var isQuiet = now - allocated < WorthwhileBytes;
            allocated = now;
            if (isQuiet && GC.GetGCMemoryInfo().TotalCommittedBytes > WorthwhileBytes)
            {
                ProcessMemory.GiveBack();
            }
        }
    }
}
