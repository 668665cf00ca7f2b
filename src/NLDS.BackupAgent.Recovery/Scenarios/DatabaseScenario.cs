using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>The strategy's second scenario: a database's data are lost or wrong. They are restored by its own pod's start, over what is there, which is moved aside.</summary>
internal sealed class DatabaseScenario(KubernetesCluster cluster, Applications applications, ServerRestores servers, ServiceChecks checks, TimeProvider clock) : IScenario
{
    public string Name => "database";

    public async Task<Assessment> AssessAsync(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, CancellationToken cancellationToken)
    {
        var ns = cluster.Namespace;
        var facts = new Dictionary<string, string> { ["namespace"] = ns };
        List<string> lines = [];
        List<string> warnings = [];
        TimeSpan? lost = null;
        foreach (var source in Chosen(sources, arguments))
        {
            var failed = await AssessServerAsync(ns, source, lines, warnings, cancellationToken);
            var reached = await servers.AssessAsync(source, arguments.GetValueOrDefault("to"), facts, lines, warnings, cancellationToken);
            if (reached is { } moment && failed - moment is var point && point > (lost ?? TimeSpan.Zero))
            {
                lost = point;
            }
        }

        if (arguments.GetValueOrDefault("to") is null or "latest")
        {
            facts["point"] = RunFacts.Text(lost ?? TimeSpan.Zero);
        }

        await applications.AssessAsync(ns, facts, lines, warnings, cancellationToken);
        return new Assessment(new RunFacts(facts), lines, warnings);
    }

    public Runbook Build(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, RunFacts facts)
    {
        var ns = facts.Require("namespace");
        var chosen = Chosen(sources, arguments);
        IEnumerable<RunbookStep?> steps =
        [
            applications.Stop(ns, facts),
            .. chosen.Select(source => servers.Request(source, ns, facts)),
            .. chosen.Select(source => servers.Restart(source, ns)),
            .. chosen.Select(source => servers.Restored(source, ns, facts)),
            .. chosen.Select(source => servers.Replayed(source, ns, TimeSpan.FromSeconds(10))),
            checks.Data(chosen),
            applications.Start(ns, facts),
            checks.Service(),
        ];
        return new Runbook([.. steps.OfType<RunbookStep>()])
        {
            RecoveryTimeObjective = TimeSpan.FromMinutes(10),
            RecoveryPointObjective = TimeSpan.FromMinutes(5),
            RecoveryPoint = facts.Seconds("point"),
        };
    }

    /// <summary>Those that were named; otherwise the database, which is the scenario's.</summary>
    private static List<IServerSource> Chosen(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments)
    {
        List<IServerSource> all = [.. sources.OfType<IServerSource>()];
        if (all.Count == 0)
        {
            throw new UsageException("No enabled source is a database server. Set Enabled to true in its section.");
        }

        var names = arguments.GetValueOrDefault("source")?.Split(',') ?? [all[0].Name];
        return
        [
            .. names.Select(name => all.FirstOrDefault(source => source.Name == name)
                ?? throw new UsageException($"'{name}' is not an enabled database server. Those there are: {string.Join(", ", all.Select(source => source.Name))}.")),
        ];
    }

    /// <returns>When it failed; now, where nobody knows.</returns>
    private async Task<DateTimeOffset> AssessServerAsync(string ns, IServerSource source, List<string> lines, List<string> warnings, CancellationToken cancellationToken)
    {
        var workload = servers.WorkloadOf(source);
        var found = await cluster.FindWorkloadAsync(ns, workload.Resource, workload.Name, cancellationToken)
            ?? throw new SourceException($"There is no {workload} in '{ns}'. Recovery:Servers:{source.Name} names it; 'recover cluster' makes what is missing.", isPermanent: true);
        if (found.Wanted > 1)
        {
            throw new UsageException($"{workload} has {found.Wanted} pods, and one of them is restored: the others would go on with other data. Scale it to 1 first.");
        }

        var pods = await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken);
        lines.AddRange(pods.Count > 0 ? await new PodTales(cluster).TellAsync(ns, pods, cancellationToken) : [$"{workload} has no pod"]);
        var failed = pods.Where(pod => !pod.IsReady).Min(pod => pod.UnreadySince);
        if (failed is null && pods.Count > 0)
        {
            warnings.Add($"{source.Name} runs. What is written from now on may be lost: the restore reaches what is durable when its pod has stopped.");
        }

        return failed ?? clock.GetUtcNow();
    }
}
