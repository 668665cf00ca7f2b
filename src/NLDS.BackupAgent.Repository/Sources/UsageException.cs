namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>The user asked for something that cannot be meant; the message says what to write instead. Exit code 2.</summary>
public sealed class UsageException(string message) : Exception(message);
