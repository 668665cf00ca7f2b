using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Restore;

/// <summary>A restore whose every byte was read and proved, and compared with what is there.</summary>
internal sealed record ApplicationDataRestorePlan : RestorePlan
{
    public required SealedBackup Backup { get; init; }

    public required ArchiveManifest Manifest { get; init; }

    public required IReadOnlyList<ArchivedSet> Sets { get; init; }

    public required bool KeepsLifetimes { get; init; }
}
