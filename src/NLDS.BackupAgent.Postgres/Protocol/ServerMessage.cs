namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>A message as it came: its type byte and its body, which lies in the receive buffer until the next read.</summary>
internal readonly record struct ServerMessage(byte Type, ReadOnlyMemory<byte> Body);
