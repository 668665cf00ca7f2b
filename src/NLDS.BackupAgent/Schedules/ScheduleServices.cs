using NLDS.BackupAgent.Configuration;
using Quartz;

namespace NLDS.BackupAgent.Schedules;

/// <summary>Registers the schedules. The scheduler keeps nothing over a restart; the watch finds what was missed in the repository.</summary>
internal static class ScheduleServices
{
    public static IServiceCollection AddSchedules(this IServiceCollection services, AgentConfiguration configuration, TimeProvider time)
    {
        services.AddSingleton<JobLedger>();
        services.AddSingleton<CatalogView>();
        services.AddSingleton<SnapshotRunner>();
        services.AddHostedService<SnapshotWatch>();
        services.AddTransient<SnapshotJob>();
        services.AddQuartz(quartz =>
        {
            quartz.UseTimeProvider(time);
            quartz.UseInMemoryStore(_ => { });
            foreach (var schedule in configuration.Schedules())
            {
                quartz.AddJob<SnapshotJob>(job => job.WithIdentity(schedule.Job));
                quartz.AddTrigger(trigger => trigger.ForJob(schedule.Job).WithIdentity(schedule.Job).WithSchedule(CronScheduleBuilder.Create(schedule.Cron)));
            }
        });

        // A run under way is cancelled at once when the agent stops; the next agent takes the backup that is missing.
        services.AddQuartzHostedService(options => options.WaitForJobsToComplete = false);
        return services;
    }
}
