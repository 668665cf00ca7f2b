using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source of which a consistent copy is taken into the repository and restored from there.</summary>
public interface ISnapshotSource : IBackupSource
{
    /// <summary>Takes one backup. It exists, sealed and complete, when this returns; otherwise it throws and no backup exists.</summary>
    Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken);

    /// <summary>
    /// Proves that <paramref name="request"/> can be done and says what it would do. Reads only; writes nothing anywhere.
    /// </summary>
    /// <exception cref="NotRestorableException">The repository cannot give this; the message names what is missing.</exception>
    /// <exception cref="UsageException">The request itself is at fault.</exception>
    Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken);

    /// <summary>Does what a plan says.</summary>
    /// <exception cref="NotRestorableException">Damage was met while reading; the target cannot be mistaken for a restored one.</exception>
    Task RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken);
}
