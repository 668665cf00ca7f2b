using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Recovery.Forecast;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Schedules;

/// <summary>
/// Looks after each source: reads what the repository holds of it, and takes the backups that the schedule alone would not: the first one, a missed one,
/// one that failed, one that the log needs.
/// </summary>
internal sealed partial class SnapshotWatch(
    SourceCatalog sources, JobLedger ledger, CatalogView catalog, JobRunner runner, TimeProvider time, ILogger<SnapshotWatch> logger,
    LoopPulses pulses, RestoreForecast? forecast = null) : BackgroundService
{
    public static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    /// <summary>Backups that another process took show up within this time.</summary>
    public static readonly TimeSpan ReadEvery = TimeSpan.FromMinutes(5);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(sources.Enabled.Select(entry => WatchAsync(entry, stoppingToken)));

    private async Task WatchAsync(SourceEntry entry, CancellationToken stopping)
    {
        var job = ledger.Jobs.FirstOrDefault(job => job.Entry == entry && job.Kind == JobKind.Backup);
        var lastRead = DateTimeOffset.MinValue;
        var pulse = pulses.Of($"the watch over backups of {entry.Name}");
        while (!stopping.IsCancellationRequested)
        {
            if (time.GetUtcNow() - lastRead >= ReadEvery)
            {
                pulse.Rest();
                lastRead = await ReadAsync(entry, stopping) ? time.GetUtcNow() : lastRead;
            }

            if (job is not null && catalog[entry.Name] is { } known && SnapshotDue.Reason(Situation(job, known)) is { } reason)
            {
                pulse.Rest();
                await runner.RunAsync(job, reason, stopping);
            }

            await pulse.WaitAsync(LookEvery, stopping);
        }
    }

    /// <summary>Whether the repository could be read. Until it could, nothing is decided: "no backup" is never concluded from a failure.</summary>
    private async Task<bool> ReadAsync(SourceEntry entry, CancellationToken stopping)
    {
        try
        {
            catalog.Read(await Task.Run(() => entry.Source.ListAsync(stopping), CancellationToken.None));
            return true;
        }
        catch (Exception exception)
        {
            if (!stopping.IsCancellationRequested)
            {
                LogUnreadable(exception is SourceException or ObjectStoreException ? null : exception, entry.Name, Failure.Of(exception).Message);
            }

            return false;
        }
    }

    private SnapshotSituation Situation(Job job, CatalogState known)
    {
        var now = time.GetUtcNow();
        var tail = job.Entry.Continuous?.Status;
        return new SnapshotSituation
        {
            Now = now,
            NewestBegan = known.Newest is { } newest ? newest.UnchangedAt ?? newest.Id.Began : null,
            LastDue = job.Schedule?.Cron.GetPreviousValidTimeBefore(now),
            Needed = tail?.SnapshotNeeded,
            Forecast = forecast?.For(job.Entry.Name, tail?.RestoreEstimate),
            Objective = forecast?.Objective,
            EarlyEvery = forecast?.EarlyEvery,
            IsReachable = tail?.IsStreaming ?? true,
            Runs = ledger[job],
        };
    }

    [LoggerMessage(LogLevel.Error, "The repository's backups of {Source} cannot be read: {Message}")]
    private partial void LogUnreadable(Exception? exception, string source, string message);
}
