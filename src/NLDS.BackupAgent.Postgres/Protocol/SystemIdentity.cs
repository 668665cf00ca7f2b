using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What IDENTIFY_SYSTEM answers.</summary>
/// <param name="SystemIdentifier">Made by initdb, and equal in every copy of the cluster.</param>
/// <param name="Timeline">The current one.</param>
/// <param name="Position">How far WAL is flushed; on a standby how far it was received.</param>
/// <param name="DatabaseName">Null on a physical connection.</param>
/// <param name="IsStandby">
/// It replayed what another one writes, or still recovered, when it was asked: the server says so by itself, at the start of a connection and whenever it changes
/// (manual, 55.2.7). One that is promoted while it answers may have named the old timeline, and counts as a standby.
/// </param>
internal sealed record SystemIdentity(string SystemIdentifier, uint Timeline, Lsn Position, string? DatabaseName, bool IsStandby);
