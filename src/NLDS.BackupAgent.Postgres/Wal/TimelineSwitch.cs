namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Where an ancestor ended: the first position that is no longer <paramref name="Timeline"/>'s, and why.</summary>
internal sealed record TimelineSwitch(uint Timeline, Lsn SwitchPoint, string Reason);
