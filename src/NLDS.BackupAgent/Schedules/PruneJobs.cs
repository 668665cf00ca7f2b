using System.Globalization;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Schedules;

/// <summary>The removal of what the policy does not keep, as jobs: one for each enabled source with a schedule for it. A guard that refuses is a failed run.</summary>
internal static class PruneJobs
{
    public static IEnumerable<Job> Of(
        SourceCatalog sources, IEnumerable<JobSchedule> schedules, IEnumerable<IRetainedSource> retained, Func<Pruner> pruner, Func<RetentionOptions> options)
    {
        var byName = retained.ToDictionary(source => source.Name);
        foreach (var schedule in schedules.Where(schedule => schedule.Kind == JobKind.Prune))
        {
            if (sources.Enabled.FirstOrDefault(entry => entry.Name == schedule.Source) is { } entry && byName.TryGetValue(entry.Name, out var source))
            {
                yield return new Job(
                    schedule.Job, entry, JobKind.Prune, schedule, (_, cancellationToken) => PruneAsync(pruner(), source, options().LongestRun, cancellationToken));
            }
        }
    }

    private static async Task<JobResult> PruneAsync(Pruner pruner, IRetainedSource source, TimeSpan limit, CancellationToken cancellationToken)
    {
        var report = await pruner.PruneAsync(source, allowLarge: false, limit, cancellationToken);
        var left = report.Left.Count > 0 ? $"; still there: {string.Join(", ", report.Left)}" : "";
        return new JobResult(string.Create(
            CultureInfo.InvariantCulture,
            $"kept {report.Plan.Backups.Count - report.Backups} of {report.Plan.Backups.Count} backups and removed {report.Objects} objects{left}"));
    }
}
