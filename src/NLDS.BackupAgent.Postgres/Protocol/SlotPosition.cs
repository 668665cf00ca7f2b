using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What a physical slot holds back: WAL from here on, on this timeline. Both null while it reserves nothing.</summary>
internal sealed record SlotPosition(Lsn? RestartLsn, uint? RestartTimeline);
