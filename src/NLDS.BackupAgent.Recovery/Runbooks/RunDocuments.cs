namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary><c>recovery/runs/ID/begun.json</c>: what was decided and found before anything was changed. Written once.</summary>
internal sealed record BegunRun
{
    public required string Id { get; init; }

    /// <summary><c>pod</c>, <c>database</c> or <c>cluster</c>.</summary>
    public required string Scenario { get; init; }

    /// <summary>The command line's own words that decide what is recovered, by option; whoever goes on must say the same.</summary>
    public required IReadOnlyDictionary<string, string> Arguments { get; init; }

    public required DateTimeOffset BegunAt { get; init; }

    /// <summary>Who, as <c>user@host</c>.</summary>
    public required string By { get; init; }

    public required IReadOnlyDictionary<string, string> Facts { get; init; }

    public required IReadOnlyList<PlannedStep> Steps { get; init; }
}

/// <summary>A step as it was planned.</summary>
public sealed record PlannedStep(string Name, string What, double EstimateSeconds, double TimeoutSeconds, bool IsDestructive);

/// <summary><c>step-NN.json</c>: the effect of a step is there. Written once.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Words">What was done, a sentence.</param>
/// <param name="WasThere">Its effect was found: an earlier process had done it, and ended before it could say so.</param>
/// <param name="Facts">What it remembered.</param>
internal sealed record DoneStep(
    int Number, string Name, string Words, bool WasThere, DateTimeOffset DoneAt, double Seconds, string By, IReadOnlyDictionary<string, string> Facts, IReadOnlyList<string> Findings);

/// <summary><c>ended.json</c>: nobody goes on with it. Written once.</summary>
internal sealed record EndedRun(string Id, RecoveryVerdict Verdict, DateTimeOffset EndedAt, string By);

/// <summary>A run as the repository knows it.</summary>
internal sealed record JournaledRun(BegunRun Begun, IReadOnlyList<DoneStep> Done)
{
    /// <summary>All that is remembered, in the order in which it was learnt.</summary>
    public RunFacts Facts => Done.Aggregate(new RunFacts(Begun.Facts), (facts, step) => facts.With(step.Facts));
}
