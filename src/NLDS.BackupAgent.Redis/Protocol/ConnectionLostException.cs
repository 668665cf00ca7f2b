namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>There is no connection, or there is none any more. Whatever was under way has to begin again on a new one.</summary>
internal sealed class ConnectionLostException(string message, Exception? inner = null) : IOException(message, inner);
