using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using Quartz;

namespace NLDS.BackupAgent.Schedules;

/// <summary>Registers the schedules. The scheduler keeps nothing over a restart; the watch finds what was missed in the repository.</summary>
internal static class ScheduleServices
{
    public static IServiceCollection AddSchedules(this IServiceCollection services, AgentConfiguration configuration, TimeProvider time)
    {
        services.AddSingleton<CatalogView>();
        services.AddSingleton(provider => new JobLedger([.. JobsOf(provider)], time, isJournaled: provider.GetService<JobJournal>() is not null));
        services.AddSingleton<JournalKeeper>();
        services.AddHostedService(provider => provider.GetRequiredService<JournalKeeper>());
        services.AddSingleton<JobRunner>();
        services.AddSingleton<VerifyJobs>();
        services.AddHostedService<SnapshotWatch>();
        services.AddHostedService<VerifyWatch>();
        services.AddHostedService<DrillWatch>();
        if (services.Any(service => service.ServiceType == typeof(PruneRequests)))
        {
            services.AddHostedService<PruneDesk>();
        }

        services.AddTransient<ScheduledJob>();
        services.AddTransient<SchedulerPulse>();
        services.AddQuartz(quartz =>
        {
            quartz.UseTimeProvider(time);
            quartz.UseInMemoryStore(_ => { });
            quartz.AddJob<SchedulerPulse>(job => job.WithIdentity(SchedulerPulse.Name));
            quartz.AddTrigger(trigger => trigger.ForJob(SchedulerPulse.Name).WithIdentity(SchedulerPulse.Name).WithSimpleSchedule(SchedulerPulse.Every));

            // Room for all of them and the pulse: jobs that all wait for the store must not keep the next one from its hour, nor the scheduler from showing that it lives.
            var schedules = configuration.Schedules().ToList();
            quartz.UseDefaultThreadPool(schedules.Count + 1);
            foreach (var schedule in schedules)
            {
                quartz.AddJob<ScheduledJob>(job => job.WithIdentity(schedule.Job));
                quartz.AddTrigger(trigger => trigger.ForJob(schedule.Job).WithIdentity(schedule.Job).WithSchedule(CronScheduleBuilder.Create(schedule.Cron)));
            }
        });

        // A run under way is cancelled at once when the agent stops; the next agent takes the backup that is missing.
        services.AddQuartzHostedService(options => options.WaitForJobsToComplete = false);
        return services;
    }

    /// <summary>Every kind of job has its line here.</summary>
    private static IEnumerable<Job> JobsOf(IServiceProvider provider)
    {
        var (sources, configuration) = (provider.GetRequiredService<SourceCatalog>(), provider.GetRequiredService<AgentConfiguration>());
        return
        [
            .. SnapshotJobs.Of(sources, configuration, provider.GetRequiredService<CatalogView>()),
            .. provider.GetRequiredService<VerifyJobs>().All(),
            .. PruneJobs.Of(
                sources, configuration.Schedules(), provider.GetServices<IRetainedSource>(), provider.GetRequiredService<Pruner>, provider.GetRequiredService<RetentionOptions>),
            .. DrillJobs.Of(sources, configuration.Schedules(), provider),
            .. MarkJobs.Of(sources, configuration.Schedules(), provider, provider.GetRequiredService<TimeProvider>()),
        ];
    }
}
