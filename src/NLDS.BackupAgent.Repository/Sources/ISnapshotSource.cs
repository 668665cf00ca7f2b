using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source of which a consistent copy is taken into the repository and restored from there.</summary>
public interface ISnapshotSource : IBackupSource
{
    /// <summary>
    /// Takes one backup. It exists, sealed, when this returns; otherwise it throws and no new backup exists. What could not be read of the source is named in
    /// <see cref="SealedBackup.Omissions"/>. A source that finds itself unchanged may return the backup that holds it already, current as of now.
    /// </summary>
    Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken);

    /// <summary>
    /// Proves that <paramref name="request"/> can be done and says what it would do. Reads only; writes nothing anywhere.
    /// </summary>
    /// <exception cref="NotRestorableException">The repository cannot give this; the message names what is missing.</exception>
    /// <exception cref="UsageException">The request itself is at fault.</exception>
    Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken);

    /// <summary>Does what a plan says. What could be restored is, and what could not is in the outcome.</summary>
    /// <exception cref="NotRestorableException">Damage was met while reading; the target cannot be mistaken for a restored one.</exception>
    Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken);
}
