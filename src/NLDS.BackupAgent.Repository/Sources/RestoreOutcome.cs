namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>What a restore did.</summary>
public sealed record RestoreOutcome
{
    /// <summary>Everything that the plan named was restored, and there is nothing more to say.</summary>
    public static RestoreOutcome Whole { get; } = new();

    /// <summary>What was done, a line each: counts by kind, what was left as it was.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What was not restored and why, a sentence each. Anything here makes the restore a failed one, however much was restored.</summary>
    public IReadOnlyList<string> NotRestored { get; init; } = [];
}
