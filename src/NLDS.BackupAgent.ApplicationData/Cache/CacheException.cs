namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>Redis could not be reached, or refused; the message says what to do.</summary>
internal sealed class CacheException(string message, Exception? inner = null) : Exception(message, inner);
