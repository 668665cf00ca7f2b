using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>What uses the servers: stopped while their data change, and started again as it was.</summary>
internal sealed class Applications(KubernetesCluster cluster, RecoveryOptions options, TimeProvider clock)
{
    /// <summary>Before a workload's name, how many pods it had.</summary>
    private const string Replicas = "replicas:";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan Estimate = TimeSpan.FromSeconds(20);

    private IEnumerable<WorkloadName> Configured => options.Workloads.Select(WorkloadName.Parse);

    /// <summary>What there is and how many pods it has; what is not there is a warning.</summary>
    public async Task AssessAsync(string ns, Dictionary<string, string> facts, List<string> lines, List<string> warnings, CancellationToken cancellationToken)
    {
        foreach (var workload in Configured)
        {
            if (await cluster.FindWorkloadAsync(ns, workload.Resource, workload.Name, cancellationToken) is not { } found)
            {
                warnings.Add($"{workload} of Recovery:Workloads is not in {ns}: it is neither stopped nor started.");
                continue;
            }

            // Whose pods cannot be told from others could be scaled down, and never be seen to have stopped.
            await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken);
            facts[Replicas + workload] = RunFacts.Text(found.Wanted);
            lines.Add($"{workload}: {found.Ready} of {found.Wanted} pods ready");
        }

        if (options.Workloads.Count == 0)
        {
            warnings.Add("Recovery:Workloads is empty: nothing is stopped, and whatever writes to the servers meanwhile may lose it.");
        }
    }

    /// <returns>Null where there is nothing to stop.</returns>
    public RunbookStep? Stop(string ns, RunFacts facts)
    {
        List<WorkloadName> workloads = [.. Counted(facts).Where(workload => facts.Number(Replicas + workload) > 0).Reverse()];
        return workloads.Count == 0 ? null : new RunbookStep
        {
            Name = "stop the applications",
            What = $"scale {Names(workloads)} to 0, and wait until their pods are gone",
            Estimate = Estimate,
            Timeout = options.Timeouts.Scale,
            TimeoutKey = "Recovery:Timeouts:Scale",
            IsDestructive = true,
            Do = async (scope, token) =>
            {
                foreach (var workload in workloads)
                {
                    await cluster.ScaleAsync(ns, workload.Resource, workload.Name, 0, token);
                }

                while (await AreStoppedAsync(ns, workloads, token) is null)
                {
                    await Task.Delay(Poll, clock, token);
                }

                return $"{Names(workloads)} have no pods.";
            },
            Prove = (_, token) => AreStoppedAsync(ns, workloads, token),
            Undo = async (scope, token) =>
            {
                foreach (var workload in Enumerable.Reverse(workloads))
                {
                    await cluster.ScaleAsync(ns, workload.Resource, workload.Name, facts.Number(Replicas + workload)!.Value, token);
                }

                return $"{Names(workloads)} are scaled to what they had.";
            },
            Diagnose = (_, token) => DiagnoseAsync(ns, workloads, token),
        };
    }

    /// <returns>Null where nothing was stopped.</returns>
    public RunbookStep? Start(string ns, RunFacts facts)
    {
        List<WorkloadName> workloads = [.. Counted(facts).Where(workload => facts.Number(Replicas + workload) > 0)];
        return workloads.Count == 0 ? null : new RunbookStep
        {
            Name = "start the applications",
            What = $"scale {Names(workloads.Select(workload => $"{workload} to {facts.Number(Replicas + workload)}"))}, one after the other, and wait until they are ready",
            Estimate = Estimate * workloads.Count,
            Timeout = options.Timeouts.Scale,
            TimeoutKey = "Recovery:Timeouts:Scale",
            Do = async (scope, token) =>
            {
                foreach (var workload in workloads)
                {
                    await cluster.ScaleAsync(ns, workload.Resource, workload.Name, facts.Number(Replicas + workload)!.Value, token);
                    await cluster.WaitRolledOutAsync(ns, workload.Resource, workload.Name, options.Timeouts.Scale, token);
                    scope.Say($"    {workload} is ready");
                }

                return $"{Names(workloads)} are ready.";
            },
            Diagnose = (_, token) => DiagnoseAsync(ns, workloads, token),
        };
    }

    /// <summary>Waits for those that a restore of objects has brought; they have the counts of their backup.</summary>
    public RunbookStep? Await(string ns) => options.Workloads.Count == 0 ? null : new RunbookStep
    {
        Name = "wait for the applications",
        What = $"wait until {Names(Configured)} are ready",
        Estimate = Estimate * options.Workloads.Count,
        Timeout = options.Timeouts.Scale,
        TimeoutKey = "Recovery:Timeouts:Scale",
        Do = async (scope, token) =>
        {
            foreach (var workload in Configured)
            {
                if (await cluster.FindWorkloadAsync(ns, workload.Resource, workload.Name, token) is null)
                {
                    scope.Find($"{workload} of Recovery:Workloads did not come back: it is not in the backup.");
                    continue;
                }

                await cluster.WaitRolledOutAsync(ns, workload.Resource, workload.Name, options.Timeouts.Scale, token);
                scope.Say($"    {workload} is ready");
            }

            return "All that came back are ready.";
        },
        Diagnose = (_, token) => DiagnoseAsync(ns, [.. Configured], token),
    };

    /// <summary>In the configured order; the configuration may have changed since, and what was counted counts.</summary>
    private IEnumerable<WorkloadName> Counted(RunFacts facts)
    {
        var counted = facts.After(Replicas).ToList();
        return counted.OrderBy(name => options.Workloads.IndexOf(name) is >= 0 and var place ? place : int.MaxValue).Select(WorkloadName.Parse);
    }

    private async Task<string?> AreStoppedAsync(string ns, IReadOnlyList<WorkloadName> workloads, CancellationToken cancellationToken)
    {
        foreach (var workload in workloads)
        {
            if (await cluster.FindWorkloadAsync(ns, workload.Resource, workload.Name, cancellationToken) is { } found
                && (found.Wanted > 0 || (await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken)).Any(pod => pod.Phase is not ("Succeeded" or "Failed"))))
            {
                return null;
            }
        }

        return $"{Names(workloads)} have no pods.";
    }

    private async Task<IReadOnlyList<string>> DiagnoseAsync(string ns, IReadOnlyList<WorkloadName> workloads, CancellationToken cancellationToken)
    {
        List<KubernetesCluster.Pod> pods = [];
        foreach (var workload in workloads)
        {
            pods.AddRange((await cluster.ListPodsAsync(ns, workload.Resource, workload.Name, cancellationToken)).Where(pod => !pod.IsReady));
        }

        return await new PodTales(cluster).TellAsync(ns, pods, cancellationToken);
    }

    private static string Names(IEnumerable<object> names) => string.Join(", ", names);
}
