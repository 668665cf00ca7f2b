using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>Brings servers back by their pods' own bootstrap: what is to be restored is requested in the repository, and the next start carries it out.</summary>
internal sealed class ServerRestores(KubernetesCluster cluster, StandingRequests requests, RecoveryMarks marks, RecoveryOptions options, TimeProvider clock)
{
    private const string To = "to:";
    private const string Backup = "backup:";
    private const string Estimate = "estimate:";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    /// <summary>So often somebody who watches is told how far it is.</summary>
    private static readonly TimeSpan Tell = TimeSpan.FromSeconds(5);

    /// <summary>A server whose pod is ready and that is not reached from here for so long is asked no more.</summary>
    private static readonly TimeSpan ReachTime = TimeSpan.FromSeconds(30);

    private readonly PodTales tales = new(cluster);

    /// <exception cref="UsageException">Nobody said which pod is the server.</exception>
    public WorkloadName WorkloadOf(IServerSource source) => options.Servers.GetValueOrDefault(source.Name) is { Length: > 0 } workload
        ? WorkloadName.Parse(workload)
        : throw new UsageException($"Recovery:Servers:{source.Name} does not say which workload is its server, such as statefulsets/{source.Name}.");

    /// <summary>Proves that the repository can give it, and remembers what exactly.</summary>
    /// <returns>The newest moment that will be there; null when the log does not tell.</returns>
    public async Task<DateTimeOffset?> AssessAsync(
        IServerSource source, string? to, Dictionary<string, string> facts, List<string> lines, List<string> warnings, CancellationToken cancellationToken)
    {
        var request = await marks.ResolveAsync(new RestoreRequest { To = to, HasTarget = false }, source.Name, cancellationToken);
        var plan = await source.PlanRestoreAsync(request, cancellationToken);
        if (request.To is { } target)
        {
            facts[To + source.Name] = target;
        }

        if (request.BackupId is { } backup)
        {
            facts[Backup + source.Name] = backup;
        }

        facts[Estimate + source.Name] = RunFacts.Text(plan.Estimate);
        lines.Add($"{source.Name}: backup {plan.BackupId}, to {plan.Target}{(plan.RecoversTo is { } moment ? $", everything until {moment.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z" : "")}");
        warnings.AddRange(plan.Warnings.Select(warning => $"{source.Name}: {warning}"));
        return plan.RecoversTo;
    }

    public RunbookStep Request(IServerSource source, string ns, RunFacts facts) => new()
    {
        Name = $"request {source.Name}",
        What = $"ask the next start of {WorkloadOf(source)} to restore {source.Name} as of {facts[To + source.Name] ?? facts[Backup + source.Name] ?? "latest"}; what is there is moved aside, not deleted",
        Estimate = TimeSpan.FromSeconds(2),
        Timeout = options.Timeouts.Restart,
        TimeoutKey = "Recovery:Timeouts:Restart",
        IsDestructive = true,
        Do = async (scope, token) =>
        {
            var wanted = new RestoreRequest { To = facts[To + source.Name], BackupId = facts[Backup + source.Name] };
            var (request, plan) = await requests.RequestAsync(source, wanted, By(scope), token);
            scope.Remember(RequestOf(source), request.Id);
            return $"Request {request.Id} wants backup {plan.BackupId} to {plan.Target}.";
        },
        Prove = async (scope, token) =>
        {
            if (await requests.FindNewestAsync(source.Name, token) is not { } newest || newest.Request.By != By(scope))
            {
                return null;
            }

            scope.Remember(RequestOf(source), newest.Request.Id);
            return $"Request {newest.Request.Id} stands.";
        },
        Undo = (scope, token) => WithdrawAsync(source, ns, scope, token),
    };

    public RunbookStep Restart(IServerSource source, string ns) => new()
    {
        Name = $"restart {source.Name}",
        What = $"delete the pod of {WorkloadOf(source)}, and wait until its next start has begun the restore",
        Estimate = TimeSpan.FromSeconds(20),
        Timeout = options.Timeouts.Restart,
        TimeoutKey = "Recovery:Timeouts:Restart",
        IsDestructive = true,
        Do = async (scope, token) =>
        {
            await RestartAsync(source, ns, token);
            await AwaitAsync(ns, WorkloadOf(source), scope, async () => await HasBegunAsync(source, scope, token) is not null, token);
            return (await HasBegunAsync(source, scope, token))!;
        },
        Prove = (scope, token) => HasBegunAsync(source, scope, token),
        Diagnose = (_, token) => DiagnoseAsync(source, ns, token),
    };

    /// <summary>For a server that may have survived: without a pod there is nothing to restart, and the first that comes carries the request out.</summary>
    public RunbookStep RestartSurvivor(IServerSource source, string ns) => Restart(source, ns) with
    {
        What = $"delete the pod of {WorkloadOf(source)}, if one has survived",
        Do = async (_, token) =>
        {
            if (await cluster.FindWorkloadAsync(ns, WorkloadOf(source).Resource, WorkloadOf(source).Name, token) is null)
            {
                return $"There is no {WorkloadOf(source)} yet.";
            }

            await RestartAsync(source, ns, token);
            return $"The pod of {WorkloadOf(source)} starts again.";
        },
        Prove = null,
    };

    /// <summary>Waits until the pod's bootstrap has let the server start, whatever it found.</summary>
    public RunbookStep Filled(IServerSource source, string ns, RunFacts facts) => new()
    {
        Name = $"restore {source.Name}",
        What = $"wait until {WorkloadOf(source)} has its data from the repository, or goes on with those it has",
        Estimate = facts.Seconds(Estimate + source.Name) ?? TimeSpan.FromMinutes(1),
        Timeout = options.Timeouts.Restore,
        TimeoutKey = "Recovery:Timeouts:Restore",
        Do = async (scope, token) =>
        {
            var workload = WorkloadOf(source);
            await AwaitAsync(ns, workload, scope, async () => (await StartedAsync(ns, workload, token)) is not null, token);
            return (await StartedAsync(ns, workload, token)) is { } pod ? $"{pod.Name} has started its server." : $"{workload} has started its server.";
        },
        Diagnose = (_, token) => DiagnoseAsync(source, ns, token),
    };

    /// <summary>Waits until the run's request is carried out.</summary>
    public RunbookStep Restored(IServerSource source, string ns, RunFacts facts) => Filled(source, ns, facts) with
    {
        What = $"wait until {WorkloadOf(source)} has its data from the repository",
        Do = async (scope, token) =>
        {
            await AwaitAsync(ns, WorkloadOf(source), scope, async () => await EndOfAsync(source, scope, token) is not null, token);
            return (await EndOfAsync(source, scope, token))!.Words;
        },
        Prove = async (scope, token) => (await EndOfAsync(source, scope, token))?.Words,
    };

    /// <summary>The server itself says when it is done; its pod, when everything beside it is too.</summary>
    /// <param name="source">Whose server.</param>
    /// <param name="ns">Where its pod is.</param>
    /// <param name="estimate">How long it should take.</param>
    public RunbookStep Replayed(IServerSource source, string ns, TimeSpan estimate) => new()
    {
        Name = $"wait for {source.Name}",
        What = $"wait until {source.Name} has replayed its log and takes writes, and its pod is ready",
        Estimate = estimate,
        Timeout = options.Timeouts.Replay,
        TimeoutKey = "Recovery:Timeouts:Replay",
        Do = async (scope, token) =>
        {
            var words = await AwaitReplayAsync(source, ns, scope, token);
            var workload = WorkloadOf(source);
            await cluster.WaitRolledOutAsync(ns, workload.Resource, workload.Name, options.Timeouts.Restart, token);
            return words;
        },
        Diagnose = (_, token) => DiagnoseAsync(source, ns, token),
    };

    private async Task<string> AwaitReplayAsync(IServerSource source, string ns, RunScope scope, CancellationToken cancellationToken)
    {
        var workload = WorkloadOf(source);
        var pace = new ReplayPace(clock);
        long? unreached = null;
        var told = clock.GetTimestamp();
        while (true)
        {
            var state = await source.LookAtServerAsync(cancellationToken);
            if (state.IsReady)
            {
                return pace.Total is { } total ? $"{state.Words} It replayed {total}." : state.Words;
            }

            pace.Add(state.BytesLeft);
            if (clock.GetElapsedTime(told) >= Tell)
            {
                told = clock.GetTimestamp();
                scope.Say($"    {state.Words}{pace.Words}");
            }

            var isPodReady = state.BytesLeft is null && await cluster.FindWorkloadAsync(ns, workload.Resource, workload.Name, cancellationToken) is { IsRolledOut: true, Wanted: > 0 };
            unreached = isPodReady ? unreached ?? clock.GetTimestamp() : null;
            if (unreached is { } since && clock.GetElapsedTime(since) > ReachTime)
            {
                scope.Find($"The pod of {workload} is ready, but {source.Name} could not be asked from here: {state.Words}");
                return $"The pod of {workload} is ready.";
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    /// <summary>Waits, and tells what the pods do whenever that changes.</summary>
    private async Task AwaitAsync(string ns, WorkloadName workload, RunScope scope, Func<Task<bool>> isDone, CancellationToken cancellationToken)
    {
        var last = "";
        var told = clock.GetTimestamp() - (long)(Tell.TotalSeconds * clock.TimestampFrequency);
        while (!await isDone())
        {
            if (clock.GetElapsedTime(told) >= Tell)
            {
                List<string> lines = [];
                foreach (var pod in await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken))
                {
                    lines.Add(await tales.HearAsync(ns, pod, cancellationToken) ?? PodTales.Line(pod));
                }

                if (string.Join("; ", lines) is var now && now != last)
                {
                    (last, told) = (now, clock.GetTimestamp());
                    scope.Say($"    {(now.Length > 0 ? now : $"{workload} has no pod yet")}");
                }
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    private async Task<KubernetesCluster.Pod?> StartedAsync(string ns, WorkloadName workload, CancellationToken cancellationToken) =>
        (await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken))
            .FirstOrDefault(pod => pod.Phase != "Terminating" && (pod.IsReady || pod.Containers.Any(container => container is { IsInit: false, State: "running" })));

    /// <summary>A workload without pods is given one: whoever scaled it to nothing wants it back now.</summary>
    private async Task RestartAsync(IServerSource source, string ns, CancellationToken cancellationToken)
    {
        var workload = WorkloadOf(source);
        var found = await cluster.FindWorkloadAsync(ns, workload.Resource, workload.Name, cancellationToken)
            ?? throw new SourceException($"There is no {workload} in '{ns}'. Recovery:Servers:{source.Name} names it; 'recover cluster' makes what is missing.", isPermanent: true);
        if (found.Wanted == 0)
        {
            await cluster.ScaleAsync(ns, workload.Resource, workload.Name, 1, cancellationToken);
            return;
        }

        foreach (var pod in (await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken)).Where(pod => pod.Phase != "Terminating"))
        {
            await cluster.DeletePodAsync(ns, pod, cancellationToken);
        }
    }

    private async Task<string?> HasBegunAsync(IServerSource source, RunScope scope, CancellationToken cancellationToken)
    {
        var state = await RequireAsync(source, scope, cancellationToken);
        return state.BegunBy is { } instance ? $"{instance} has begun the restore." : null;
    }

    private async Task<EndedRequest?> EndOfAsync(IServerSource source, RunScope scope, CancellationToken cancellationToken) => (await RequireAsync(source, scope, cancellationToken)).Ended;

    /// <summary>The run's own request, while nobody took it back or asked for something else.</summary>
    private async Task<RequestState> RequireAsync(IServerSource source, RunScope scope, CancellationToken cancellationToken)
    {
        var id = scope.Facts.Require(RequestOf(source));
        var newest = await requests.FindNewestAsync(source.Name, cancellationToken);
        if (newest is not null && newest.Request.Id != id)
        {
            throw new SourceException($"{newest.Request.By} has since requested something else for {source.Name} ({newest.Request.Id}).", isPermanent: true);
        }

        return newest is null ? throw new SourceException($"Request {id} for {source.Name} is gone.", isPermanent: true)
            : newest.Ended?.End == RequestEnd.Withdrawn ? throw new SourceException($"Request {id} for {source.Name} was withdrawn: {newest.Ended.Words}", isPermanent: true)
            : newest;
    }

    private async Task<string> WithdrawAsync(IServerSource source, string ns, RunScope scope, CancellationToken cancellationToken)
    {
        if (await requests.FindNewestAsync(source.Name, cancellationToken) is not { } newest || newest.Request.By != By(scope))
        {
            return $"No request of this recovery stands for {source.Name}.";
        }

        var ended = newest.Ended ?? await requests.EndAsync(newest.Request, RequestEnd.Withdrawn, By(scope), $"Withdrawn: the recovery {scope.Id} was given up.", cancellationToken);
        if (ended.End == RequestEnd.CarriedOut)
        {
            scope.Find($"{source.Name} stays restored: {ended.Words}");
            return $"Request {newest.Request.Id} had been carried out; the restored data stay.";
        }

        if (newest.BegunBy is null)
        {
            return $"Request {newest.Request.Id} is withdrawn.";
        }

        await RestartAsync(source, ns, cancellationToken);
        return $"Request {newest.Request.Id} is withdrawn; the pod starts again, and puts back what was moved aside, unless the restore came to its end before.";
    }

    private async Task<IReadOnlyList<string>> DiagnoseAsync(IServerSource source, string ns, CancellationToken cancellationToken)
    {
        var workload = WorkloadOf(source);
        return await tales.TellAsync(ns, await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken), cancellationToken);
    }

    private static string RequestOf(IServerSource source) => $"request:{source.Name}";

    /// <summary>By it another process of the same run knows its own request.</summary>
    private static string By(RunScope scope) => $"recovery {scope.Id}";
}
