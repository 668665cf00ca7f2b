using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>How a drill came out.</summary>
public enum DrillVerdict
{
    Passed,

    /// <summary>Everything came back, but not within the objectives.</summary>
    ObjectiveMissed,

    /// <summary>Something did not come back, or not as it should be.</summary>
    Failed,
}

/// <summary><c>report.json</c>: what a drill did and found. Written once.</summary>
public sealed record DrillReport
{
    public required string Id { get; init; }

    public required DateTimeOffset Began { get; init; }

    public required DateTimeOffset Ended { get; init; }

    /// <summary>Who did it: the agent's instance, and the machine.</summary>
    public required string By { get; init; }

    /// <summary>Where; reports that do not say are of this machine.</summary>
    public DrillMode Mode { get; init; }

    public required DrillVerdict Verdict { get; init; }

    /// <summary>From the decision to restore until all services answer, one source after the other; null when they never did.</summary>
    public required double? RecoveryTimeSeconds { get; init; }

    /// <summary>What a restore at the drill's beginning would have lost, of the source that would have lost most; null when that is not known.</summary>
    public required double? RecoveryPointSeconds { get; init; }

    public required double RecoveryTimeObjectiveSeconds { get; init; }

    public required double RecoveryPointObjectiveSeconds { get; init; }

    public required IReadOnlyList<SourceDrill> Sources { get; init; }

    /// <summary>What somebody should look at, a sentence each.</summary>
    public required IReadOnlyList<string> Findings { get; init; }
}

/// <summary>What happened to one source.</summary>
public sealed record SourceDrill
{
    public required string Source { get; init; }

    /// <summary>Why it failed, in a sentence; null when it did not.</summary>
    public string? Failure { get; init; }

    /// <summary>Whether the failure is damage, or what was asked for could not be restored.</summary>
    public bool IsDamage { get; init; }

    public string? Backup { get; init; }

    /// <summary>What was asked for: <c>latest</c>, a time.</summary>
    public string? To { get; init; }

    /// <summary>What that came to, in words.</summary>
    public string? Target { get; init; }

    public DateTimeOffset? RecoversTo { get; init; }

    public long StoredBytes { get; init; }

    public long ContentBytes { get; init; }

    /// <summary>What the plan had foretold for the recovery time.</summary>
    public double? EstimateSeconds { get; init; }

    public double? RecoveryTimeSeconds { get; init; }

    public double? RecoveryPointSeconds { get; init; }

    public required IReadOnlyList<DrillPhase> Phases { get; init; }

    public required IReadOnlyList<string> Environment { get; init; }

    public required IReadOnlyList<RehearsalProof> Proofs { get; init; }

    public LoadResult? Load { get; init; }
}

/// <param name="IsRecovery">Whether it counts as recovery time.</param>
public sealed record DrillPhase(string Name, double Seconds, bool IsRecovery);

/// <summary>What a load test measured.</summary>
public sealed record LoadResult(
    int Clients, double Seconds, long Requests, long Failures, double RatePerSecond, double MedianMilliseconds, double Percentile95Milliseconds, double Percentile99Milliseconds,
    double SlowestMilliseconds, double ObjectiveMilliseconds, string? FirstFailure);
