namespace NLDS.BackupAgent.Testing.Fuzzing;

/// <summary>A parser did with an input what none may do.</summary>
public sealed class FuzzException(string message, Exception? cause = null) : Exception(message, cause);
