using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Recovery.Drills;

namespace NLDS.BackupAgent.Schedules;

/// <summary>
/// At the agent's start: removes what a killed drill left on this machine, says when drills cannot be done here, and reads what earlier drills found, which the metrics
/// tell; and again now and then, because drills are also done elsewhere.
/// </summary>
internal sealed partial class DrillWatch(IServiceProvider services, SourceCatalog sources, CatalogView catalog, JobLedger ledger, TimeProvider time, ILogger<DrillWatch> logger)
    : BackgroundService
{
    /// <summary>Short, since nothing is known before the first backup.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromMinutes(1);

    /// <summary>A drill done elsewhere shows up within this time; the alert waits for weeks.</summary>
    private static readonly TimeSpan ReadEvery = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (services.GetService<DrillRunner>() is not { } runner)
        {
            return;
        }

        await runner.SweepAsync();
        var isScheduled = ledger.Jobs.Any(job => job.Kind == JobKind.Drill);
        var hasLooked = !isScheduled;
        while (!stoppingToken.IsCancellationRequested)
        {
            var hasRead = await ReadAsync(stoppingToken);
            hasLooked = hasLooked || await LookAsync(stoppingToken);
            await Task.Delay(hasRead && hasLooked ? ReadEvery : Again, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Which programs are needed is known once every source that can be rehearsed has a backup.</summary>
    private async Task<bool> LookAsync(CancellationToken stopping)
    {
        if (sources.Enabled.Any(entry => catalog[entry.Name]?.Newest is null))
        {
            return false;
        }

        try
        {
            if (await DrillJobs.FindObstacleAsync(sources, services, stopping) is { } obstacle)
            {
                LogCannot(obstacle);
            }

            return true;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return true;
        }
    }

    private async Task<bool> ReadAsync(CancellationToken stopping)
    {
        try
        {
            await services.GetRequiredService<DrillHistory>().ReadAsync(services.GetRequiredService<DrillReports>(), stopping);
            return true;
        }
        catch (Exception failure) when (!stopping.IsCancellationRequested)
        {
            LogUnread(Failure.Of(failure).Message);
            return false;
        }
        catch when (stopping.IsCancellationRequested)
        {
            return true;
        }
    }

    [LoggerMessage(
        LogLevel.Warning,
        "No drills are done by this agent: {Obstacle} Run nlds-backup drill each month on a machine that has them, or set Drill:Enabled to false to be told no more.")]
    private partial void LogCannot(string obstacle);

    [LoggerMessage(LogLevel.Warning, "What earlier drills found could not be read: {Message}")]
    private partial void LogUnread(string message);
}
