using System.Globalization;
using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>
/// The strategy's third scenario: everything is gone. The order is that of its classes of business impact: what the rest stands on, the servers with their data, proofs,
/// then what uses them, and last the way in. Where something has survived, it stays; data are set back only to a moment that somebody names.
/// </summary>
internal sealed class ClusterScenario(
    KubernetesCluster cluster, Applications applications, ServerRestores servers, ServiceChecks checks, RecoveryMarks marks, RecoveryOptions options, TimeProvider clock) : IScenario
{
    private static readonly TimeSpan ObjectsEstimate = TimeSpan.FromSeconds(15);

    /// <summary>What would use the servers, or let somebody in, before their data are there.</summary>
    private static readonly string[] Later =
    [
        "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "replicationcontrollers", "pods", "jobs.batch", "cronjobs.batch",
        "horizontalpodautoscalers.autoscaling", "ingresses.networking.k8s.io",
    ];

    public string Name => "cluster";

    /// <summary>For a drill: the namespace, which is there, in which everything comes back beside the original.</summary>
    public string? Scratch { get; init; }

    private string Namespace => Scratch ?? cluster.Namespace;

    public async Task<Assessment> AssessAsync(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, CancellationToken cancellationToken)
    {
        var to = arguments.GetValueOrDefault("to");
        var facts = new Dictionary<string, string> { ["namespace"] = Namespace };
        List<string> lines = [];
        List<string> warnings = [];
        foreach (var source in (ISnapshotSource[])[Objects(sources), .. Wanted(sources, arguments)])
        {
            facts[BackupOf(source)] = await ChooseAsync(source, to, lines, warnings, cancellationToken);
        }

        TimeSpan? lost = null;
        foreach (var source in Servers(sources))
        {
            servers.WorkloadOf(source);
            if (await servers.AssessAsync(source, to, facts, lines, warnings, cancellationToken) is { } moment && clock.GetUtcNow() - moment is var point && point > (lost ?? TimeSpan.Zero))
            {
                lost = point;
            }
        }

        if (to is null or "latest")
        {
            facts["point"] = RunFacts.Text(lost ?? TimeSpan.Zero);
        }
        else
        {
            facts["moment"] = to;
        }

        if (options.Provision.Count == 0)
        {
            await applications.AssessAsync(Namespace, facts, lines, warnings: [], cancellationToken);
        }

        return new Assessment(new RunFacts(facts), lines, warnings);
    }

    public Runbook Build(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, RunFacts facts)
    {
        var ns = facts.Require("namespace");
        var objects = Objects(sources);
        var all = Servers(sources);
        var isSetBack = facts["moment"] is not null;
        var workloads = all.Select(servers.WorkloadOf).ToList();
        IEnumerable<RunbookStep?> steps =
        [
            options.Provision.Count > 0 ? Provision() : null,
            isSetBack ? applications.Stop(ns, facts) : null,
            Make("make the objects", "make the namespace and what everything else stands on: roles, Secrets, volumes, services", objects, ns, facts, "except", Later),
            .. isSetBack ? all.Select(source => servers.Request(source, ns, facts)) : [],
            .. isSetBack ? all.Select(source => servers.RestartSurvivor(source, ns)) : [],
            Make("make the servers", $"make {string.Join(" and ", workloads)}, whose pods fill themselves from the repository before they start", objects, ns, facts, "only",
                [.. workloads.Select(workload => $"{workload.Kind}/{workload.Name}")]),
            .. all.Select(source => isSetBack ? servers.Restored(source, ns, facts) : servers.Filled(source, ns, facts)),
            .. all.Select(source => servers.Replayed(source, ns, TimeSpan.FromSeconds(10))),
            checks.Data(all),
            .. Wanted(sources, arguments).Select(source => PutBack(source, facts)),
            Make("make the rest", "make the applications, their schedules, and last the way in", objects, ns, facts, null, []),
            isSetBack ? applications.Start(ns, facts) : null,
            applications.Await(ns),
            checks.Service(),
        ];
        return new Runbook([.. steps.OfType<RunbookStep>()])
        {
            RecoveryTimeObjective = TimeSpan.FromMinutes(15),
            RecoveryPointObjective = TimeSpan.FromMinutes(5),
            RecoveryPoint = facts.Seconds("point"),
        };
    }

    private static ISnapshotSource Objects(IReadOnlyList<ISnapshotSource> sources) => sources.FirstOrDefault(source => source.Name == KubernetesServices.Source)
        ?? throw new UsageException("The source 'kubernetes' is not enabled. Set Kubernetes:Namespace to the namespace that is to come back.");

    private List<IServerSource> Servers(IReadOnlyList<ISnapshotSource> sources) =>
        [.. sources.OfType<IServerSource>().Where(source => options.Servers.GetValueOrDefault(source.Name) is { Length: > 0 })];

    /// <summary>What else is put back, because somebody asked for it: <c>--with application-data</c>.</summary>
    private static List<ISnapshotSource> Wanted(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments) =>
    [
        .. (arguments.GetValueOrDefault("with")?.Split(',') ?? []).Select(name => sources.FirstOrDefault(source => source.Name == name && source is not IServerSource && name != KubernetesServices.Source)
            ?? throw new UsageException($"--with names '{name}', which is not an enabled source that is put back into running servers, such as application-data.")),
    ];

    private static string BackupOf(ISnapshotSource source) => $"backup:{source.Name}";

    /// <summary>The backup that was the newest then. It asks no cluster: there may be none yet.</summary>
    private async Task<string> ChooseAsync(ISnapshotSource source, string? to, List<string> lines, List<string> warnings, CancellationToken cancellationToken)
    {
        var named = (await marks.ResolveAsync(new RestoreRequest { To = to }, source.Name, cancellationToken)).BackupId;
        var listing = await source.ListAsync(cancellationToken);
        var moment = named is null && to is not (null or "latest") && !to.StartsWith(RecoveryMarks.Prefix, StringComparison.Ordinal)
            ? DateTimeOffset.TryParse(to, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var parsed)
                ? parsed
                : throw new UsageException($"--to '{to}' is a place in one source's log. For all sources together name a time, or a mark: --to mark:NAME.")
            : (DateTimeOffset?)null;
        var chosen = listing.Backups.LastOrDefault(backup => named is not null ? backup.Id.ToString() == named : moment is null || backup.CurrentAt <= moment || backup.Manifest.Ended <= moment)
            ?? throw new NotRestorableException(
                $"There is no {source.Name} backup {(named is not null ? named : moment is { } wanted ? $"from before {wanted.UtcDateTime:u}" : "")} in the repository. {string.Join(" ", listing.Damaged.Select(damage => damage.Reason))}");
        lines.Add($"{source.Name}: backup {chosen.Id}, current as of {chosen.CurrentAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z");
        warnings.AddRange(chosen.Omissions.Select(omission => $"{source.Name}: not in the backup: {omission}"));
        return chosen.Id.ToString();
    }

    private RunbookStep Provision() => new()
    {
        Name = "provision",
        What = $"run {options.Provision[0]} (Recovery:Provision), which makes the cluster",
        Estimate = TimeSpan.FromMinutes(5),
        Timeout = options.Timeouts.Provision,
        TimeoutKey = "Recovery:Timeouts:Provision",
        IsDestructive = true,
        Do = async (scope, token) =>
        {
            await Provisioning.RunAsync(options.Provision, scope, token);
            cluster.Reconnect();
            return $"{options.Provision[0]} ended with success.";
        },
    };

    private RunbookStep Make(string name, string what, ISnapshotSource objects, string ns, RunFacts facts, string? selection, IReadOnlyList<string> selected) => new()
    {
        Name = name,
        What = what,
        Estimate = ObjectsEstimate,
        Timeout = options.Timeouts.Objects,
        TimeoutKey = "Recovery:Timeouts:Objects",
        Do = (scope, token) =>
        {
            var wanted = new Dictionary<string, IReadOnlyList<string>> { ["namespace"] = [ns] };
            if (selection is not null)
            {
                wanted[selection] = selected;
            }

            if (Scratch is not null)
            {
                wanted[KubernetesServices.Rehearsal] = [];
            }

            return RestoreAsync(objects, facts, wanted, scope, token);
        },
    };

    private RunbookStep PutBack(ISnapshotSource source, RunFacts facts) => new()
    {
        Name = $"put back {source.Name}",
        What = $"restore {source.Name} from backup {facts[BackupOf(source)]} into the running servers",
        Estimate = ObjectsEstimate,
        Timeout = options.Timeouts.Objects,
        TimeoutKey = "Recovery:Timeouts:Objects",
        IsDestructive = true,
        Do = (scope, token) => RestoreAsync(source, facts, new Dictionary<string, IReadOnlyList<string>>(), scope, token),
    };

    private static async Task<string> RestoreAsync(
        ISnapshotSource source, RunFacts facts, IReadOnlyDictionary<string, IReadOnlyList<string>> wanted, RunScope scope, CancellationToken cancellationToken)
    {
        var plan = await source.PlanRestoreAsync(new RestoreRequest { BackupId = facts.Require(BackupOf(source)), Options = wanted }, cancellationToken);
        var outcome = await source.RestoreAsync(plan, scope.Progress, cancellationToken);
        foreach (var note in outcome.Notes)
        {
            scope.Say($"    {note}");
        }

        foreach (var missing in outcome.NotRestored)
        {
            scope.Find($"Not restored: {missing}");
        }

        return outcome.NotRestored.Count == 0
            ? $"From backup {plan.BackupId} into {plan.Target}."
            : $"From backup {plan.BackupId} into {plan.Target}, in part: {outcome.NotRestored.Count} are missing.";
    }
}
