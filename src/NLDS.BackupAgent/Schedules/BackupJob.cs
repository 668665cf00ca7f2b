using NLDS.BackupAgent.Features;

namespace NLDS.BackupAgent.Schedules;

/// <summary>The taking of one source's backups. Without a schedule it runs only when a backup is needed.</summary>
internal sealed record BackupJob(string Name, SourceEntry Entry, SnapshotSchedule? Schedule);
