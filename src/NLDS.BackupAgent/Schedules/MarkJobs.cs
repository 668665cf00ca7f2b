using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Recovery;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Repository.Leases;

namespace NLDS.BackupAgent.Schedules;

/// <summary>The marking of all sources as a job, where a schedule asks for it.</summary>
internal static class MarkJobs
{
    public static IEnumerable<Job> Of(SourceCatalog sources, IEnumerable<JobSchedule> schedules, IServiceProvider services, TimeProvider time)
    {
        foreach (var schedule in schedules.Where(schedule => schedule.Kind == JobKind.Mark))
        {
            var entry = sources.Enabled.First(entry => entry.Name == schedule.Source);
            yield return new Job(schedule.Job, entry, JobKind.Mark, schedule, (_, cancellationToken) => MarkAsync(sources, services, time, cancellationToken));
        }
    }

    private static async Task<JobResult> MarkAsync(SourceCatalog sources, IServiceProvider services, TimeProvider time, CancellationToken cancellationToken)
    {
        var marks = services.GetRequiredService<RecoveryMarks>();
        var by = services.GetRequiredService<AgentIdentity>().Instance;
        var mark = await marks.MarkAsync(RecoveryMarks.ScheduledName(time.GetUtcNow()), [.. sources.Enabled.Select(source => source.Source)], by, isScheduled: true, cancellationToken);
        await marks.ForgetAsync(services.GetRequiredService<RecoveryOptions>().Mark.Keep, cancellationToken);
        return new JobResult($"wrote mark '{mark.Name}' in {string.Join(", ", mark.Places.Keys)}, within {Sizes.Duration(TimeSpan.FromSeconds(mark.SkewSeconds))}");
    }
}
