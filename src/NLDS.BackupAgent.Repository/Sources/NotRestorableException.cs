namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>Damage was found, or the repository cannot give what was asked for; the message names it. Exit code 3.</summary>
public sealed class NotRestorableException(string message, Exception? inner = null) : Exception(message, inner);
