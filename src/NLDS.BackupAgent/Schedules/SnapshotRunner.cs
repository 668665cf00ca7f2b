using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Schedules;

/// <summary>Takes backups and writes down how it went. A failure ends here: it is counted, logged and tried again by the watch.</summary>
internal sealed partial class SnapshotRunner(JobLedger ledger, CatalogView catalog, ILogger<SnapshotRunner> logger)
{
    /// <summary>Takes one backup unless one is being taken.</summary>
    public async Task RunAsync(BackupJob job, string reason, CancellationToken cancellationToken)
    {
        if (!ledger.TryBegin(job))
        {
            LogRunning(job.Name, reason);
            return;
        }

        LogBegin(job.Name, reason);
        try
        {
            var backup = await Task.Run(() => job.Entry.Snapshot!.TakeAsync(new Told(ledger, job), cancellationToken), CancellationToken.None);
            catalog.Sealed(job.Entry.Name, backup);
            ledger.Succeed(job);
            LogSealed(job.Name, backup.Id.ToString(), backup.ContentBytes, backup.StoredBytes);
        }
        catch (Exception exception)
        {
            var message = Failure.Of(exception).Message;
            ledger.Fail(job, message);
            LogFailed(exception is SourceException or ObjectStoreException or OperationCanceledException ? null : exception, job.Name, message);
        }

        ProcessMemory.GiveBack();
    }

    private sealed class Told(JobLedger ledger, BackupJob job) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value) => ledger.Progress(job, value);
    }

    [LoggerMessage(LogLevel.Information, "{Job} begins: {Reason}.")]
    private partial void LogBegin(string job, string reason);

    [LoggerMessage(LogLevel.Information, "{Job} sealed backup {Id}: {ContentBytes} bytes, {StoredBytes} stored.")]
    private partial void LogSealed(string job, string id, long contentBytes, long storedBytes);

    [LoggerMessage(LogLevel.Warning, "{Job} is still running and is not begun again ({Reason}).")]
    private partial void LogRunning(string job, string reason);

    [LoggerMessage(LogLevel.Error, "{Job} failed: {Message}")]
    private partial void LogFailed(Exception? exception, string job, string message);
}
