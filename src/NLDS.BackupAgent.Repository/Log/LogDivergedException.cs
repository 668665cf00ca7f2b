namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// The log that a server sends is not the one in the repository: the same positions hold other bytes. Nothing was changed; going on would mix two histories.
/// </summary>
public sealed class LogDivergedException(string message) : Exception(message);
