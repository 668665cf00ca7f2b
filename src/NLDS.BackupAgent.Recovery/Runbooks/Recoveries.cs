using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>What somebody asks of <c>recover</c>.</summary>
/// <param name="Scenario"><c>pod</c>, <c>database</c> or <c>cluster</c>.</param>
/// <param name="Arguments">What decides what is recovered, by option without its dashes: <c>to</c>, <c>pod</c>. What was not said is not there.</param>
/// <param name="By">Who, as <c>user@host</c>.</param>
public sealed record RecoverRequest(string Scenario, IReadOnlyDictionary<string, string> Arguments, string By)
{
    /// <summary>All sources that are enabled.</summary>
    public required IReadOnlyList<ISnapshotSource> Sources { get; init; }
}

/// <summary>A recovery that can be begun, or gone on with.</summary>
public sealed record RecoveryPlan
{
    /// <summary>The run that it goes on with, and since when that is under way; null for a new one.</summary>
    public required (string Id, DateTimeOffset Since)? Continues { get; init; }

    /// <summary>What was found, for people.</summary>
    public required IReadOnlyList<string> Lines { get; init; }

    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>All steps, those that are done too.</summary>
    public required IReadOnlyList<PlannedStep> Steps { get; init; }

    /// <summary>How many of them are done.</summary>
    public required int Done { get; init; }

    public required TimeSpan RecoveryTimeObjective { get; init; }

    /// <summary>Something that is still to be done takes something away: somebody has to say yes.</summary>
    public bool NeedsConsent => Steps.Skip(Done).Any(step => step.IsDestructive);

    internal RecoverRequest Request { get; init; } = null!;

    internal RunFacts Facts { get; init; } = null!;

    internal Runbook Runbook { get; init; } = null!;

    internal JournaledRun? Run { get; init; }
}

/// <summary>The three scenarios of the strategy document, carried out one at a time.</summary>
public sealed class Recoveries
{
    /// <summary>Whose lease keeps two from recovering at once. It has the place of a source's name.</summary>
    private const string Lease = "recovery";

    private readonly Dictionary<string, IScenario> scenarios;
    private readonly RunJournal journal;
    private readonly RunbookEngine engine;
    private readonly WriterLeases leases;
    private readonly TimeProvider clock;

    internal Recoveries(IEnumerable<IScenario> scenarios, RunJournal journal, RunbookEngine engine, WriterLeases leases, TimeProvider clock) =>
        (this.scenarios, this.journal, this.engine, this.leases, this.clock) = (scenarios.ToDictionary(scenario => scenario.Name), journal, engine, leases, clock);

    /// <summary>Says what would be done, and changes nothing. A run of the same scenario that has not ended is gone on with.</summary>
    /// <exception cref="UsageException">Another one has not ended.</exception>
    /// <exception cref="NotRestorableException">The repository cannot give what is asked for.</exception>
    public async Task<RecoveryPlan> PlanAsync(RecoverRequest request, CancellationToken cancellationToken)
    {
        var scenario = scenarios[request.Scenario];
        if (await journal.FindUnfinishedAsync(cancellationToken) is { } run)
        {
            RequireSame(run.Begun, request);
            return Of(request, scenario.Build(request.Sources, run.Begun.Arguments, new RunFacts(run.Begun.Facts)), new Assessment(new RunFacts(run.Begun.Facts), [], []), run);
        }

        var found = await scenario.AssessAsync(request.Sources, request.Arguments, cancellationToken);
        return Of(request, scenario.Build(request.Sources, request.Arguments, found.Facts), found, null);
    }

    /// <summary>Carries a plan out.</summary>
    /// <returns>The report, and where its page lies in the repository.</returns>
    public async Task<(RecoveryReport Report, string Page)> RunAsync(RecoveryPlan plan, RecoveryWatch watch, CancellationToken cancellationToken)
    {
        await using var alone = await AloneAsync(cancellationToken);
        var current = await journal.FindUnfinishedAsync(cancellationToken);
        if (current?.Begun.Id != plan.Run?.Begun.Id)
        {
            throw new SourceException($"Meanwhile somebody else has begun or ended a recovery ({(current ?? plan.Run)!.Begun.Id}). Look at the plan again.", isPermanent: true);
        }

        var run = current ?? await BeginAsync(plan, cancellationToken);
        return await engine.RunAsync(run, plan.Run is not null, plan.Runbook, plan.Request.By, watch, cancellationToken);
    }

    /// <summary>Gives up the run that has not ended, whatever it was to recover.</summary>
    /// <exception cref="UsageException">There is none of this scenario.</exception>
    public async Task<(RecoveryReport Report, string Page)> UndoAsync(RecoverRequest request, RecoveryWatch watch, CancellationToken cancellationToken)
    {
        var scenario = request.Scenario;
        await using var alone = await AloneAsync(cancellationToken);
        var run = await journal.FindUnfinishedAsync(cancellationToken);
        return run?.Begun.Scenario == scenario
            ? await engine.UndoAsync(run, scenarios[scenario].Build(request.Sources, run.Begun.Arguments, new RunFacts(run.Begun.Facts)), request.By, watch, cancellationToken)
            : throw new UsageException(run is null
                ? "No recovery is under way."
                : $"No recovery of the {scenario} is under way; one of the {run.Begun.Scenario} is. To give that up: recover {run.Begun.Scenario} --undo.");
    }

    private async Task<LeaseHold> AloneAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await leases.For(Lease).HoldAsync(cancellationToken);
        }
        catch (SourceException held)
        {
            throw new SourceException($"Somebody recovers already: {held.Message} Nothing was done here.", isPermanent: true, held);
        }
    }

    private async Task<JournaledRun> BeginAsync(RecoveryPlan plan, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var begun = new BegunRun
        {
            Id = await journal.NewIdAsync(now, cancellationToken),
            Scenario = plan.Request.Scenario,
            Arguments = plan.Request.Arguments,
            BegunAt = now,
            By = plan.Request.By,
            Facts = plan.Facts.Values,
            Steps = plan.Steps,
        };
        await journal.BeginAsync(begun, cancellationToken);
        engine.Reached("begun");
        return new JournaledRun(begun, []);
    }

    private static void RequireSame(BegunRun begun, RecoverRequest request)
    {
        if (begun.Scenario != request.Scenario)
        {
            throw new UsageException(
                $"The recovery of the {begun.Scenario} that {begun.By} began at {begun.BegunAt.UtcDateTime:u} has not ended. Go on with it ({CommandOf(begun.Scenario, begun.Arguments)}), "
                + $"or give it up: recover {begun.Scenario} --undo.");
        }

        if (begun.Arguments.Count != request.Arguments.Count || begun.Arguments.Except(request.Arguments).Any())
        {
            throw new UsageException(
                $"{begun.By} began at {begun.BegunAt.UtcDateTime:u} to recover something else, and that has not ended. Go on with it ({CommandOf(begun.Scenario, begun.Arguments)}), "
                + $"or give it up: recover {begun.Scenario} --undo.");
        }
    }

    private static string CommandOf(string scenario, IReadOnlyDictionary<string, string> arguments) =>
        $"recover {scenario}{string.Concat(arguments.OrderBy(argument => argument.Key, StringComparer.Ordinal).Select(argument => argument.Value == "true" ? $" --{argument.Key}" : $" --{argument.Key} {argument.Value}"))}";

    private static RecoveryPlan Of(RecoverRequest request, Runbook runbook, Assessment found, JournaledRun? run) => new()
    {
        Continues = run is null ? null : (run.Begun.Id, run.Begun.BegunAt),
        Lines = found.Lines,
        Warnings = found.Warnings,
        Steps = [.. runbook.Steps.Select(step => new PlannedStep(step.Name, step.What, step.Estimate.TotalSeconds, step.Timeout.TotalSeconds, step.IsDestructive))],
        Done = run?.Done.Count ?? 0,
        RecoveryTimeObjective = runbook.RecoveryTimeObjective,
        Request = request,
        Facts = found.Facts,
        Runbook = runbook,
        Run = run,
    };
}
