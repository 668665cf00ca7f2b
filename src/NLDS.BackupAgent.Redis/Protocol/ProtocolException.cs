namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>The peer said something that Redis's protocol does not allow at this place. The connection is of no more use.</summary>
internal sealed class ProtocolException(string message) : Exception(message);
