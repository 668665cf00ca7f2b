namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>What is done in a scenario, step by step. Made from facts alone, so that another process makes the same one of the same facts.</summary>
internal sealed record Runbook(IReadOnlyList<RunbookStep> Steps)
{
    public required TimeSpan RecoveryTimeObjective { get; init; }

    public required TimeSpan RecoveryPointObjective { get; init; }

    /// <summary>What the recovery loses at most; null when that is not known, or somebody asked for a moment of the past.</summary>
    public required TimeSpan? RecoveryPoint { get; init; }
}

/// <summary>One step of a runbook. What it does may be done again after a crash, and then must come to the same.</summary>
internal sealed record RunbookStep
{
    /// <summary>Short, and once in its runbook: <c>stop the applications</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What will be done, a sentence for the plan.</summary>
    public required string What { get; init; }

    /// <summary>How long it should take.</summary>
    public required TimeSpan Estimate { get; init; }

    /// <summary>A step that takes longer has failed.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>The setting to change where that is too short: <c>Recovery:Timeouts:Restore</c>.</summary>
    public required string TimeoutKey { get; init; }

    /// <summary>It takes something away that somebody may use.</summary>
    public bool IsDestructive { get; init; }

    /// <summary>Does it.</summary>
    /// <returns>What was done, a sentence.</returns>
    public required Func<RunScope, CancellationToken, Task<string>> Do { get; init; }

    /// <summary>Whether its effect is there: asked behind it, and before it where an earlier process may have done it. Null when doing it is the proof.</summary>
    /// <returns>What is there, a sentence; null when the effect is not.</returns>
    public Func<RunScope, CancellationToken, Task<string?>>? Prove { get; init; }

    /// <summary>Takes the effect back as far as that goes. Null where nothing was taken away.</summary>
    /// <returns>What was done, a sentence.</returns>
    public Func<RunScope, CancellationToken, Task<string>>? Undo { get; init; }

    /// <summary>What whoever mends a failure of this step wants to see: states, events, last words.</summary>
    public Func<RunScope, CancellationToken, Task<IReadOnlyList<string>>>? Diagnose { get; init; }
}
