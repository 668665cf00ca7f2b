using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Schedules;

/// <summary>The drill as a job: one for all sources. One that did not pass is a failed run, and says where its report is.</summary>
internal static class DrillJobs
{
    public static IEnumerable<Job> Of(SourceCatalog sources, IEnumerable<JobSchedule> schedules, IServiceProvider services)
    {
        foreach (var schedule in schedules.Where(schedule => schedule.Kind == JobKind.Drill))
        {
            var entry = sources.Enabled.First(entry => entry.Name == schedule.Source);
            yield return new Job(schedule.Job, entry, JobKind.Drill, schedule, (progress, cancellationToken) => DrillAsync(sources, services, progress, cancellationToken))
            {
                FindObstacleAsync = cancellationToken => FindObstacleAsync(sources, services, cancellationToken),
            };
        }
    }

    /// <summary>Where a drill was asked for, one that cannot be done is a failed one. What else stands in the way is for the drill to find.</summary>
    public static async Task<string?> FindObstacleAsync(SourceCatalog sources, IServiceProvider services, CancellationToken cancellationToken)
    {
        if (services.GetRequiredService<DrillOptions>() is { Enabled: true } or { Mode: DrillMode.Kubernetes })
        {
            return null;
        }

        try
        {
            return await DrillRunner.FindObstacleAsync(Rehearsed(sources), cancellationToken);
        }
        catch (Exception unknown) when (unknown is SourceException or NotRestorableException or ObjectStoreException)
        {
            return null;
        }
    }

    private static List<IRehearsedSource> Rehearsed(SourceCatalog sources) => [.. sources.Enabled.Select(entry => entry.Snapshot).OfType<IRehearsedSource>()];

    private static async Task<JobResult> DrillAsync(SourceCatalog sources, IServiceProvider services, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var rehearsed = Rehearsed(sources);
        if (rehearsed.Count == 0)
        {
            return new JobResult("had nothing to rehearse");
        }

        var options = services.GetRequiredService<DrillOptions>();
        var (report, page) = options.Mode == DrillMode.Kubernetes
            ? await services.GetRequiredService<KubernetesDrill>().RunAsync(DrillCommand.Snapshots(sources), _ => { }, progress, cancellationToken)
            : await services.GetRequiredService<DrillRunner>().RunAsync(rehearsed, new DrillChoice(options.Backup, options.Moment), progress, cancellationToken);
        await services.GetRequiredService<DrillHistory>().ReadAsync(services.GetRequiredService<DrillReports>(), cancellationToken);
        return report.Verdict == DrillVerdict.Passed
            ? new JobResult($"passed; recovery time {Sizes.Duration(TimeSpan.FromSeconds(report.RecoveryTimeSeconds ?? 0))}, report {page}") { Bytes = report.Sources.Sum(source => source.ContentBytes) }
            : throw new SourceException($"The drill {DrillCommand.Words(report.Verdict)}: {string.Join(" ", report.Findings.Take(3))} Its report is {page}.", isPermanent: false);
    }
}
