namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>How a recovery came out.</summary>
public enum RecoveryVerdict
{
    Recovered,

    /// <summary>The service is back, but not within the objectives.</summary>
    ObjectiveMissed,

    /// <summary>The service is back, and something is not as it should be: see the findings.</summary>
    RecoveredInPart,

    /// <summary>It was given up, and what it had done was taken back as far as that goes.</summary>
    GivenUp,
}

/// <summary><c>reports/recovery/ID/report.json</c>: what a recovery did and how long it took. Written once.</summary>
public sealed record RecoveryReport
{
    public required string Id { get; init; }

    public required string Scenario { get; init; }

    /// <summary>What was asked for, by option: <c>to</c>, <c>pod</c>.</summary>
    public required IReadOnlyDictionary<string, string> Arguments { get; init; }

    public required DateTimeOffset Began { get; init; }

    public required DateTimeOffset Ended { get; init; }

    public required string By { get; init; }

    public required RecoveryVerdict Verdict { get; init; }

    /// <summary>From the decision until all that the runbook proves was proven, pauses between two processes included.</summary>
    public required double RecoveryTimeSeconds { get; init; }

    public required double RecoveryTimeObjectiveSeconds { get; init; }

    /// <summary>What was lost at most; null when it is not known, or a moment of the past was asked for.</summary>
    public required double? RecoveryPointSeconds { get; init; }

    public required double RecoveryPointObjectiveSeconds { get; init; }

    public required IReadOnlyList<RecoveryPhase> Phases { get; init; }

    /// <summary>What somebody should look at, a sentence each.</summary>
    public required IReadOnlyList<string> Findings { get; init; }
}

/// <summary>A step that was done.</summary>
/// <param name="Words">What was done, a sentence.</param>
/// <param name="EstimateSeconds">What the plan had foretold.</param>
/// <param name="Share">Of the time of all phases, 0 to 1.</param>
public sealed record RecoveryPhase(string Name, string Words, double Seconds, double EstimateSeconds, double Share);
