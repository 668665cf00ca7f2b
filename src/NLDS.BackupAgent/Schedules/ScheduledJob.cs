using Quartz;

namespace NLDS.BackupAgent.Schedules;

/// <summary>What the scheduler fires; its key is the job's name.</summary>
[DisallowConcurrentExecution]
internal sealed class ScheduledJob(JobLedger ledger, JobRunner runner, IHostApplicationLifetime lifetime) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken)
    {
        // A run ends with the agent, whatever the scheduler does about it.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        var job = ledger.Jobs.First(job => job.Name == context.JobDetail.Key.Name);
        await runner.RunAsync(job, "scheduled", stopping.Token);
    }
}
