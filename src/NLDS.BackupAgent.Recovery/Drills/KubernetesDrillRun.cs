using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>One drill in its namespace, from the plan to the load test, and what is known of each source by then.</summary>
internal sealed class KubernetesDrillRun(DrillRecovery recovery, DrillOptions options, ScratchNamespaces namespaces, TimeProvider clock, ScratchNamespace scratch)
{
    private const string Objects = KubernetesServices.Source;

    /// <summary>No step gets more of the drill's whole time.</summary>
    private const double StepPart = 0.5;

    private readonly Dictionary<string, Account> accounts = [];
    private string at = Objects;
    private bool hasRecovered;

    /// <summary>All sources, the copies in the place of their originals.</summary>
    public required IReadOnlyList<ISnapshotSource> Sources { get; init; }

    public required IReadOnlyList<DrilledCopy> Copies { get; init; }

    public required RecoveryWatch Watch { get; init; }

    public required Action<string> Reached { get; init; }

    /// <summary>A failure of the drill is in its results; only who gives it up gets an exception.</summary>
    public async Task RunAsync(CancellationToken cancelled)
    {
        using var limit = new CancellationTokenSource(options.Timeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancelled);
        try
        {
            await RecoverAsync(either.Token);
            hasRecovered = true;
            foreach (var copy in Copies)
            {
                await ProveAsync(copy, either.Token);
                Of(copy.Name).IsDone = true;
            }

            Of(Objects).IsDone = true;
        }
        catch (NotRestorableException damage)
        {
            Fail(damage.Message, isDamage: true);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancelled.IsCancellationRequested)
        {
            Fail($"It took longer than Drill:Timeout ({options.Timeout}) and was broken off.");
        }
        catch (Exception failure) when (failure is SourceException or UsageException || failure.IsStoreFailure())
        {
            Fail(failure.Message);
        }
        catch (Exception unforeseen) when (unforeseen is not OperationCanceledException)
        {
            // A copy that falls over under its proofs is what a drill is for.
            Fail(unforeseen.Message);
        }
    }

    /// <summary>What the deletion of the namespace left.</summary>
    public void Left(Leftovers left)
    {
        Of(Objects).Proofs.Add(left.Stuck is { } stuck
            ? new RehearsalProof("clean up", ProofVerdict.Failed, stuck)
            : new RehearsalProof("clean up", ProofVerdict.Proven, $"The namespace {scratch.Name} is gone."));
        if (left.Volumes.Count > 0)
        {
            Of(Objects).Proofs.Add(new RehearsalProof("volumes", ProofVerdict.Finding, $"These stay, because their storage class keeps them. Delete them: {string.Join(", ", left.Volumes)}."));
        }
    }

    public IReadOnlyList<SourceDrill> Results() => [.. Copies.Select(copy => copy.Name).Prepend(Objects).Select(name => Of(name).Result(name, hasRecovered))];

    private async Task RecoverAsync(CancellationToken cancellationToken)
    {
        var scenario = recovery.Scenario();
        var assessed = await PhaseAsync(Objects, "choose and prove", true, async () =>
        {
            var found = await scenario.AssessAsync(Sources, Arguments, cancellationToken);
            foreach (var copy in Copies)
            {
                await ChooseAsync(copy.Original, cancellationToken);
            }

            await ChooseObjectsAsync(found.Facts.Require($"backup:{Objects}"), cancellationToken);
            return found;
        });
        Of(Objects).Environment = await PhaseAsync(Objects, "make the namespace", true, () => namespaces.CreateAsync(scratch, cancellationToken));
        var facts = assessed.Facts;
        var runner = new StepRunner(clock, "The drill ends here.");
        foreach (var step in scenario.Build(Sources, Arguments, facts).Steps.Select(Bounded))
        {
            Watch.Say($"{step.Name}: {step.What}");
            var heard = new LastWords(Watch);
            var scope = new RunScope(scratch.Drill, facts, heard.Watch);
            var words = await PhaseAsync(WhoseIs(step), step.Name, true, async () =>
            {
                try
                {
                    return (await runner.DoAsync(step, scope, mayBeThere: false, cancellationToken)).Words;
                }
                catch when (heard.Words.Length > 0)
                {
                    // The namespace is gone when somebody reads the report: what its pods said is there.
                    Of(WhoseIs(step)).Proofs.Add(new RehearsalProof("last words", ProofVerdict.NotLooked, heard.Words));
                    throw;
                }
            });
            Watch.Say($"    {words}");
            facts = facts.With(scope.Remembered);
            Of(WhoseIs(step)).Proofs.Add(new RehearsalProof(step.Name, ProofVerdict.Proven, words));
            Of(WhoseIs(step)).Proofs.AddRange(scope.Findings.Select(finding => new RehearsalProof(step.Name, ProofVerdict.Failed, finding)));
        }
    }

    private async Task ChooseObjectsAsync(string backup, CancellationToken cancellationToken)
    {
        var wanted = new Dictionary<string, IReadOnlyList<string>> { ["namespace"] = [scratch.Name], [KubernetesServices.Rehearsal] = [] };
        var plan = await Sources.Single(source => source.Name == Objects).PlanRestoreAsync(new RestoreRequest { BackupId = backup, Options = wanted }, cancellationToken);
        Choose(Of(Objects), plan);
        if (plan.Warnings.Count > 0)
        {
            Of(Objects).Proofs.Add(new RehearsalProof("left out", ProofVerdict.NotLooked, string.Join(" ", plan.Warnings)));
        }
    }

    private static void Choose(Account account, RestorePlan plan) => (account.Plan, account.Backup, account.To, account.Target) = (plan, plan.BackupId, "latest", plan.Target);

    /// <summary>What comes back of a server; and what a restore would lose now.</summary>
    private async Task ChooseAsync(IRehearsedSource source, CancellationToken cancellationToken)
    {
        var plan = await source.PlanRestoreAsync(new RestoreRequest { HasTarget = false }, cancellationToken);

        // On a quiet server the newest data are old, and yet nothing newer would be lost: up to there the log is proven to be whole.
        var proven = (await source.ListAsync(cancellationToken)).Log?.RestorableTo;
        var account = Of(source.Name);
        Choose(account, plan);
        account.Point = (proven > plan.RecoversTo ? proven : plan.RecoversTo) is { } reached ? Math.Max(0, (clock.GetUtcNow() - reached).TotalSeconds) : null;
    }

    private async Task ProveAsync(DrilledCopy rehearsed, CancellationToken cancellationToken)
    {
        var account = Of(rehearsed.Name);
        var began = clock.GetUtcNow();
        await using var copy = await PhaseAsync(rehearsed.Name, "meet", false, () => rehearsed.Copy.VisitAsync(account.Plan!, cancellationToken));
        account.Environment = [.. copy.Description, .. Of(Objects).Environment];
        await PhaseAsync(rehearsed.Name, "prove", false, async () =>
        {
            account.Proofs.AddRange(await copy.ProveAsync(options.ProofTime, cancellationToken));
            var checks = new DrillChecks(rehearsed.Original, copy, isLatest: true, began);
            foreach (var check in options.Checks.Where(check => check.Source == rehearsed.Name))
            {
                account.Proofs.Add(await checks.ProveAsync(check, cancellationToken));
                account.Point = checks.HeartbeatPoint ?? account.Point;
            }

            return true;
        });
        if (options.LoadTest.Enabled)
        {
            var statement = options.LoadTest.Statements.GetValueOrDefault(rehearsed.Name);
            account.Load = await PhaseAsync(rehearsed.Name, "load test", false, () => LoadTest.RunAsync(copy, options.LoadTest, statement, clock, cancellationToken));
        }
    }

    private static IReadOnlyDictionary<string, string> Arguments => new Dictionary<string, string>();

    /// <summary>A step that hangs fails in time to be looked into.</summary>
    private RunbookStep Bounded(RunbookStep step) => step.Timeout < options.Timeout * StepPart ? step : step with { Timeout = options.Timeout * StepPart, TimeoutKey = "Drill:Timeout" };

    /// <summary>The runbook is of all; the steps that wait for one server are that one's.</summary>
    private string WhoseIs(RunbookStep step) => Copies.FirstOrDefault(copy => step.Name == $"restore {copy.Name}" || step.Name == $"wait for {copy.Name}")?.Name ?? Objects;

    private async Task<T> PhaseAsync<T>(string source, string name, bool isRecovery, Func<Task<T>> work)
    {
        at = source;
        Reached(name);
        var began = clock.GetTimestamp();
        try
        {
            return await work();
        }
        finally
        {
            Of(source).Phases.Add(new DrillPhase(name, clock.GetElapsedTime(began).TotalSeconds, isRecovery));
        }
    }

    /// <summary>What has not been proven by now is not proven.</summary>
    private void Fail(string message, bool isDamage = false)
    {
        (Of(at).Failure, Of(at).IsDamage) = (message, isDamage);
        foreach (var name in Copies.Select(copy => copy.Name).Where(name => name != at && !Of(name).IsDone))
        {
            Of(name).Failure = "It was not looked at, because the drill broke off before.";
        }
    }

    private Account Of(string source) => accounts.TryGetValue(source, out var known) ? known : accounts[source] = new Account();

    /// <summary>What is known of one source.</summary>
    private sealed class Account
    {
        public RestorePlan? Plan { get; set; }

        public string? Backup { get; set; }

        public string? To { get; set; }

        public string? Target { get; set; }

        public double? Point { get; set; }

        public string? Failure { get; set; }

        public bool IsDamage { get; set; }

        public bool IsDone { get; set; }

        public IReadOnlyList<string> Environment { get; set; } = [];

        public LoadResult? Load { get; set; }

        public List<DrillPhase> Phases { get; } = [];

        public List<RehearsalProof> Proofs { get; } = [];

        public SourceDrill Result(string source, bool hasRecovered) => new()
        {
            Source = source,
            Failure = Failure,
            IsDamage = IsDamage,
            Backup = Backup,
            To = To,
            Target = Target,
            RecoversTo = Plan?.RecoversTo,
            StoredBytes = Plan?.StoredBytes ?? 0,
            ContentBytes = Plan?.ContentBytes ?? 0,
            EstimateSeconds = Plan?.Estimate.TotalSeconds,
            RecoveryTimeSeconds = hasRecovered ? Phases.Where(phase => phase.IsRecovery).Sum(phase => phase.Seconds) : null,
            RecoveryPointSeconds = Point,
            Phases = Phases,
            Environment = Environment,
            Proofs = Proofs,
            Load = Load,
        };
    }
}
