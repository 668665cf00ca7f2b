using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Schedules;

/// <summary>
/// Runs jobs and writes down how it went. A failure ends here: it is counted and logged, and whoever asked for the run decides when to ask again. Only the agent
/// that holds the source's lease runs any.
/// </summary>
internal sealed partial class JobRunner(JobLedger ledger, JournalKeeper journal, ILogger<JobRunner> logger, WriterLeases? leases = null)
{
    /// <summary>Runs a job once unless it is running.</summary>
    public async Task RunAsync(Job job, string reason, CancellationToken cancellationToken)
    {
        if (!ledger.TryBegin(job))
        {
            LogRunning(job.Name, reason);
            return;
        }

        LeaseHold? hold = null;
        try
        {
            if (leases is not null)
            {
                var answer = await leases.For(job.Entry.Name).TryHoldAsync(cancellationToken);
                if (answer.Refusal is { } refusal)
                {
                    ledger.Withdraw(job);
                    LogLeft(job.Name, refusal.Message);
                    return;
                }

                hold = answer.Hold;
            }

            if (job.FindObstacleAsync is { } look && await look(cancellationToken) is { } obstacle)
            {
                ledger.Withdraw(job);
                await using (hold)
                {
                    LogCannot(job.Name, obstacle);
                    return;
                }
            }

            LogBegin(job.Name, reason);
            await journal.BeginAsync(job, cancellationToken);
            var result = await AgentTraces.SpanAsync(
                job.Kind.ToString().ToLowerInvariant(),
                job.Entry.Name,
                () => Task.Run(() => job.RunAsync(new Told(ledger, job), cancellationToken), CancellationToken.None));
            ledger.Succeed(job, result);
            LogSucceeded(job.Name, result.Summary);
        }
        catch (Exception exception)
        {
            var message = Failure.Of(exception).Message;
            ledger.Fail(job, message);
            var isExpected = exception is SourceException or NotRestorableException or ObjectStoreException or OperationCanceledException;
            LogFailed(isExpected ? null : exception, job.Name, message);
        }

        await using (hold)
        {
            await journal.EndAsync(job);
        }

        ProcessMemory.GiveBack();
    }

    private sealed class Told(JobLedger ledger, Job job) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value) => ledger.Progress(job, value);
    }

    [LoggerMessage(LogLevel.Information, "{Job} begins: {Reason}.")]
    private partial void LogBegin(string job, string reason);

    [LoggerMessage(LogLevel.Information, "{Job} {Summary}.")]
    private partial void LogSucceeded(string job, string summary);

    [LoggerMessage(LogLevel.Warning, "{Job} is still running and is not begun again ({Reason}).")]
    private partial void LogRunning(string job, string reason);

    [LoggerMessage(LogLevel.Debug, "{Job} is left to the agent that has the lease. {Refusal}")]
    private partial void LogLeft(string job, string refusal);

    [LoggerMessage(LogLevel.Warning, "{Job} cannot be done on this machine and was not begun. {Obstacle}")]
    private partial void LogCannot(string job, string obstacle);

    [LoggerMessage(LogLevel.Error, "{Job} failed: {Message}")]
    private partial void LogFailed(Exception? exception, string job, string message);
}
