namespace NLDS.BackupAgent.Repository.Sources;

public enum CheckVerdict
{
    Good,

    /// <summary>Works, but not as well as it should.</summary>
    Warning,

    /// <summary>Backups or restores will fail.</summary>
    Fault,
}

/// <summary>One thing that <c>check</c> looked at.</summary>
/// <param name="Subject">What was looked at: <c>wal_level</c>, <c>role nlds</c>.</param>
/// <param name="Verdict">How it was found.</param>
/// <param name="Message">What was found and, unless good, what to do.</param>
public sealed record CheckFinding(string Subject, CheckVerdict Verdict, string Message);
