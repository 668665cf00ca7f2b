using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What IDENTIFY_SYSTEM answers.</summary>
/// <param name="SystemIdentifier">Made by initdb, and equal in every copy of the cluster.</param>
/// <param name="Timeline">The current one.</param>
/// <param name="Position">How far WAL is flushed; on a standby how far it was received.</param>
/// <param name="DatabaseName">Null on a physical connection.</param>
internal sealed record SystemIdentity(string SystemIdentifier, uint Timeline, Lsn Position, string? DatabaseName);
