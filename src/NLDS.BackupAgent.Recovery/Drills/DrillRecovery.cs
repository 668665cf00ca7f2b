using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Scenarios;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>The runbook of <c>recover cluster</c> as a drill rehearses it: the very same steps, in another namespace.</summary>
internal sealed class DrillRecovery(
    KubernetesCluster cluster, StandingRequests requests, RecoveryMarks marks, RecoveryOptions recovery, DrillOptions drill, TimeProvider clock, HttpProbe http)
{
    public ClusterScenario Scenario()
    {
        var options = recovery.Rehearsed(drill.Kubernetes.Urls);
        return new ClusterScenario(
            cluster, new Applications(cluster, options, clock), new ServerRestores(cluster, requests, marks, options, clock), new ServiceChecks(options, clock, http), marks, options, clock)
        {
            Scratch = drill.Kubernetes.Namespace,
        };
    }

    /// <summary>Whether the source's server is a workload of the cluster.</summary>
    public bool HasServer(string source) => recovery.Servers.GetValueOrDefault(source) is { Length: > 0 };
}
