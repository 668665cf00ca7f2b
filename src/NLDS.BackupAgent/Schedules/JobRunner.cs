using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Schedules;

/// <summary>Runs jobs and writes down how it went. A failure ends here: it is counted and logged, and whoever asked for the run decides when to ask again.</summary>
internal sealed partial class JobRunner(JobLedger ledger, ILogger<JobRunner> logger)
{
    /// <summary>Runs a job once unless it is running.</summary>
    public async Task RunAsync(Job job, string reason, CancellationToken cancellationToken)
    {
        if (!ledger.TryBegin(job))
        {
            LogRunning(job.Name, reason);
            return;
        }

        LogBegin(job.Name, reason);
        try
        {
            var result = await Task.Run(() => job.RunAsync(new Told(ledger, job), cancellationToken), CancellationToken.None);
            ledger.Succeed(job);
            LogSucceeded(job.Name, result.Summary);
        }
        catch (Exception exception)
        {
            var message = Failure.Of(exception).Message;
            ledger.Fail(job, message);
            var isExpected = exception is SourceException or NotRestorableException or ObjectStoreException or OperationCanceledException;
            LogFailed(isExpected ? null : exception, job.Name, message);
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

    [LoggerMessage(LogLevel.Error, "{Job} failed: {Message}")]
    private partial void LogFailed(Exception? exception, string job, string message);
}
