using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>What pods tell people: states, events, last words. What cannot be asked is said, and hides nothing else.</summary>
internal sealed class PodTales(KubernetesCluster cluster)
{
    private const int Words = 8;

    /// <summary>A pod in a line: <c>postgres-0: Pending, restore running, postgres not started</c>.</summary>
    public static string Line(KubernetesCluster.Pod pod)
    {
        var containers = pod.Containers.Where(container => !(container.IsInit && container.State == "ended with 0 (Completed)"))
            .Select(container => $"{container.Name} {container.State}{(container.Restarts > 0 ? $" after {container.Restarts} restarts" : "")}");
        return $"{pod.Name}: {string.Join(", ", [$"{pod.Phase}{(pod.IsReady ? ", ready" : "")}{(pod.Node is { } node ? $" on {node}" : "")}", .. pod.Unscheduled is { } why ? (string[])[why] : [], .. containers])}";
    }

    /// <summary>All that can be found out about the pods of a workload or of one owner.</summary>
    public async Task<IReadOnlyList<string>> TellAsync(string ns, IEnumerable<KubernetesCluster.Pod> pods, CancellationToken cancellationToken)
    {
        List<string> lines = [];
        var told = await TryAsync(() => cluster.ListEventsAsync(ns, cancellationToken), []);
        foreach (var pod in pods)
        {
            lines.Add(Line(pod));
            lines.AddRange(pod.Containers.Where(container => container.LastEnd is not null).Select(container => $"  {container.Name} had ended {container.LastEnd}"));
            lines.AddRange(told.Where(tale => tale.About == $"Pod/{pod.Name}" && tale.Type != "Normal").TakeLast(Words).Select(tale => $"  {tale.Reason}: {tale.Message}"));
            foreach (var container in pod.Containers.Where(container => !container.IsReady && container.State != "ended with 0 (Completed)"))
            {
                lines.AddRange(await LastWordsAsync(ns, pod, container, cancellationToken));
            }
        }

        return lines;
    }

    /// <summary>What an init container that works says last; null when none does.</summary>
    public async Task<string?> HearAsync(string ns, KubernetesCluster.Pod pod, CancellationToken cancellationToken)
    {
        if (pod.Containers.FirstOrDefault(container => container is { IsInit: true, State: "running", IsReady: false }) is not { } working)
        {
            return null;
        }

        var words = await TryAsync(() => cluster.ReadLogAsync(ns, pod.Name, working.Name, previous: false, 1, cancellationToken), "");
        return words.Trim() is { Length: > 0 } line ? $"{working.Name}: {line}" : null;
    }

    private async Task<IEnumerable<string>> LastWordsAsync(string ns, KubernetesCluster.Pod pod, KubernetesCluster.Container container, CancellationToken cancellationToken)
    {
        // Of one that waits to be started again, the words of its last life.
        var previous = container.Waits is not null && container.LastEnd is not null;
        var words = await TryAsync(() => cluster.ReadLogAsync(ns, pod.Name, container.Name, previous, Words, cancellationToken), "");
        return words.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"  {container.Name} said: {line.TrimEnd()}");
    }

    private static async Task<T> TryAsync<T>(Func<Task<T>> ask, T unknown)
    {
        try
        {
            return await ask();
        }
        catch (SourceException)
        {
            return unknown;
        }
    }
}
