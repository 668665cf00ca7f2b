using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Schedules;

/// <summary>
/// Has each new backup read back soon after it was sealed, as long as nothing else is being done for its source. Once each: what fails or finds damage is for the
/// schedule to try again.
/// </summary>
internal sealed class VerifyWatch(JobLedger ledger, CatalogView catalog, VerifyJobs verify, JobRunner runner, TimeProvider time, LoopPulses pulses) : BackgroundService
{
    public static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);

    /// <summary>The tail's confirmation and whatever else follows a backup gets this long.</summary>
    public static readonly TimeSpan After = TimeSpan.FromMinutes(2);

    private readonly Dictionary<string, BackupId> tried = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of("the watch over verification");
        while (!stoppingToken.IsCancellationRequested)
        {
            foreach (var job in ledger.Jobs.Where(job => job.Kind == JobKind.Verify))
            {
                if (Unverified(job) is { } backup)
                {
                    tried[job.Entry.Name] = backup;
                    pulse.Rest();
                    await runner.RunAsync(verify.OnlyNew(job), $"backup {backup} is new", stoppingToken);
                }
            }

            await pulse.WaitAsync(LookEvery, stoppingToken);
        }
    }

    private BackupId? Unverified(Job job) =>
        catalog[job.Entry.Name]?.Newest is { VerifiedAt: null } newest
        && time.GetUtcNow() - newest.Manifest.Ended >= After
        && (!tried.TryGetValue(job.Entry.Name, out var last) || last != newest.Id)
        && ledger.Jobs.All(other => other.Entry != job.Entry || ledger[other].RunningSince is null)
            ? newest.Id
            : null;
}
