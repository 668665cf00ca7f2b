using System.Globalization;
using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>
/// The strategy's first scenario: a pod failed. Kubernetes itself brings it back; this tells why it failed, watches, proves that the service answers, and times it.
/// </summary>
internal sealed class PodScenario(KubernetesCluster cluster, ServerRestores servers, ServiceChecks checks, RecoveryOptions options, TimeProvider clock) : IScenario
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    private readonly PodTales tales = new(cluster);

    public string Name => "pod";

    public async Task<Assessment> AssessAsync(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, CancellationToken cancellationToken)
    {
        var ns = cluster.Namespace;
        var pods = await cluster.ListPodsAsync(ns, "", cancellationToken);
        var pod = Choose(ns, pods, arguments.GetValueOrDefault("pod"));
        var facts = new Dictionary<string, string>
        {
            ["namespace"] = ns,
            ["pod"] = pod.Name,
            ["uid"] = pod.Uid,
        };
        if (pod.Owner is { } owner)
        {
            facts["owner"] = owner;
        }

        if (pod.UnreadySince is { } since)
        {
            facts["failed"] = since.ToString("O", CultureInfo.InvariantCulture);
        }

        List<string> warnings = [];
        if (pod.Owner is null)
        {
            warnings.Add($"Nothing makes {pod.Name} again when it is gone; its containers are only started again.");
        }

        if (pod.IsReady)
        {
            warnings.Add($"{pod.Name} is ready.");
        }

        return new Assessment(new RunFacts(facts), await tales.TellAsync(ns, [pod], cancellationToken), warnings);
    }

    public Runbook Build(IReadOnlyList<ISnapshotSource> sources, IReadOnlyDictionary<string, string> arguments, RunFacts facts)
    {
        var ns = facts.Require("namespace");
        List<RunbookStep> steps = [];
        if (arguments.ContainsKey("replace"))
        {
            steps.Add(Replace(ns, facts));
        }

        steps.Add(Await(ns, facts));
        if (sources.OfType<IServerSource>().FirstOrDefault(source => facts["owner"] is { } owner && IsOf(source, owner)) is { } server)
        {
            steps.Add(servers.Replayed(server, ns, TimeSpan.FromSeconds(10)));
        }

        if (checks.Service() is { } service)
        {
            steps.Add(service);
        }

        return new Runbook(steps)
        {
            RecoveryTimeObjective = TimeSpan.FromMinutes(2),
            RecoveryPointObjective = TimeSpan.Zero,

            // What a pod had written to its volume it has still.
            RecoveryPoint = TimeSpan.Zero,
        };
    }

    private bool IsOf(IServerSource source, string owner) =>
        options.Servers.GetValueOrDefault(source.Name) is { Length: > 0 } server && WorkloadName.Parse(server) is { Resource: "statefulsets" } workload && owner == $"StatefulSet/{workload.Name}";

    private static KubernetesCluster.Pod Choose(string ns, IReadOnlyList<KubernetesCluster.Pod> pods, string? name)
    {
        if (name is not null)
        {
            return pods.FirstOrDefault(pod => pod.Name == name)
                ?? throw new UsageException($"There is no pod '{name}' in '{ns}'. Those that are not ready: {Names(Unready(pods))}.");
        }

        return Unready(pods) switch
        {
            [] => throw new UsageException($"All pods in '{ns}' are ready. Name one to look at it, or to replace it: recover pod NAME --replace."),
            [var one] => one,
            var several => throw new UsageException($"Several pods in '{ns}' are not ready: {Names(several)}. Name one: recover pod NAME."),
        };
    }

    private static List<KubernetesCluster.Pod> Unready(IReadOnlyList<KubernetesCluster.Pod> pods) =>
        [.. pods.Where(pod => !pod.IsReady && pod.Phase is not ("Succeeded" or "Terminating") && pod.Owner?.StartsWith("Job/", StringComparison.Ordinal) != true).OrderBy(pod => pod.UnreadySince)];

    private static string Names(List<KubernetesCluster.Pod> pods) => pods.Count == 0 ? "none" : string.Join(", ", pods.Select(pod => pod.Name));

    private RunbookStep Replace(string ns, RunFacts facts) => new()
    {
        Name = "replace the pod",
        What = $"delete {facts["pod"]}, so that {facts["owner"] ?? "nobody"} makes it anew",
        Estimate = TimeSpan.FromSeconds(5),
        Timeout = options.Timeouts.Restart,
        TimeoutKey = "Recovery:Timeouts:Restart",
        IsDestructive = true,
        Do = async (_, token) =>
        {
            if (facts["owner"] is null)
            {
                throw new SourceException($"Nothing makes {facts["pod"]} again: it is not deleted.", isPermanent: true);
            }

            if (await cluster.FindPodAsync(ns, facts.Require("pod"), token) is { } pod && pod.Uid == facts["uid"])
            {
                await cluster.DeletePodAsync(ns, pod, token);
            }

            while (await IsGoneAsync(ns, facts, token) is null)
            {
                await Task.Delay(Poll, clock, token);
            }

            return $"{facts["pod"]} is gone.";
        },
        Prove = (_, token) => IsGoneAsync(ns, facts, token),
    };

    private async Task<string?> IsGoneAsync(string ns, RunFacts facts, CancellationToken cancellationToken) =>
        await cluster.FindPodAsync(ns, facts.Require("pod"), cancellationToken) is { } pod && pod.Uid == facts["uid"] ? null : $"{facts["pod"]} is gone.";

    private RunbookStep Await(string ns, RunFacts facts) => new()
    {
        Name = "wait for the pod",
        What = $"watch until {facts["pod"]}, or what takes its place, is ready",
        Estimate = TimeSpan.FromSeconds(30),
        Timeout = options.Timeouts.Restart,
        TimeoutKey = "Recovery:Timeouts:Restart",
        Do = async (scope, token) =>
        {
            var last = "";
            while (true)
            {
                var pods = await FindAsync(ns, facts, token);
                var wanted = await WantedAsync(ns, facts, token);
                if (wanted == 0)
                {
                    scope.Find($"{facts["owner"]} should have no pods any more: a rollout or a scaling has taken its place. See kubectl get pods -n {ns}.");
                    return $"{facts["pod"]} is not wanted any more.";
                }

                if (pods.Count >= wanted && pods.All(pod => pod.IsReady))
                {
                    var since = facts["failed"] is { } failed ? $", {(clock.GetUtcNow() - DateTimeOffset.Parse(failed, CultureInfo.InvariantCulture)).TotalSeconds:F0} s after it failed" : "";
                    return $"{Names([.. pods.Where(pod => pod.IsReady)])} {(pods.Count(pod => pod.IsReady) == 1 ? "is" : "are")} ready{since}.";
                }

                if (string.Join("; ", pods.Select(PodTales.Line)) is var now && now != last)
                {
                    scope.Say($"    {(last = now) switch { "" => "there is no pod yet", var lines => lines }}");
                }

                await Task.Delay(Poll, clock, token);
            }
        },
        Diagnose = async (_, token) => await tales.TellAsync(ns, await FindAsync(ns, facts, token), token),
    };

    /// <summary>A pod of a StatefulSet, and one that nobody owns, keep their name; those of a ReplicaSet are known by it.</summary>
    private async Task<IReadOnlyList<KubernetesCluster.Pod>> FindAsync(string ns, RunFacts facts, CancellationToken cancellationToken) =>
    [
        .. (await cluster.ListPodsAsync(ns, "", cancellationToken)).Where(pod => KeepsName(facts) ? pod.Name == facts["pod"] : pod.Owner == facts["owner"]).Where(pod => pod.Phase != "Terminating"),
    ];

    /// <summary>As many as its ReplicaSet should have now: a rollout or a scaling may have changed that meanwhile.</summary>
    private async Task<int> WantedAsync(string ns, RunFacts facts, CancellationToken cancellationToken) => KeepsName(facts)
        ? 1
        : (await cluster.FindWorkloadAsync(ns, "replicasets", facts.Require("owner").Split('/')[1], cancellationToken))?.Wanted ?? 0;

    private static bool KeepsName(RunFacts facts) => facts["owner"]?.StartsWith("ReplicaSet/", StringComparison.Ordinal) != true;
}
