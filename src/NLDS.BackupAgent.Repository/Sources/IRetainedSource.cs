using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A source whose backups, and the log that they need, are kept by a policy and removed when nothing keeps them.</summary>
public interface IRetainedSource : IBackupSource
{
    /// <summary>Where its backups lie.</summary>
    SnapshotLayout Layout { get; }

    /// <summary>What its own section of the configuration says.</summary>
    RetentionRules Retention { get; }

    /// <summary>What counts where no configuration says anything.</summary>
    RetentionPolicy DefaultRetention { get; }

    /// <summary>
    /// What of the log must stay when of all backups only <paramref name="kept"/> stay: what each of them needs to be consistent, and everything from the newest
    /// on that was complete at <paramref name="since"/>, so that every later moment can be restored. When none was, all of it stays, as does what the source
    /// cannot judge.
    /// </summary>
    /// <returns>Null for a source without a log, or before its first byte.</returns>
    Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken);
}
