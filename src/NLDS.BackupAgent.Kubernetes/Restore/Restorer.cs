using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>
/// Does what a plan says, place by place: what others depend on comes first. What fails for a passing reason is tried again at the end, a few rounds long. Done twice, it
/// does nothing the second time, so that one that was cut off is finished by doing it again.
/// </summary>
internal sealed partial class Restorer(KubernetesOptions options, TimeProvider clock, ILogger<Restorer> logger)
{
    private const int ParallelObjects = 4;

    /// <summary>Rounds of what failed for a passing reason, with pauses of 1, 2, 4 and 8 s before them.</summary>
    private const int Rounds = 4;

    private static readonly TimeSpan EstablishBound = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan NamespaceBound = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    public async Task<RestoreOutcome> RestoreAsync(KubernetesRestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        using var api = new KubernetesApi(ClusterConnections.Find(options, clock), clock);
        await RequireNamespaceNotGoingAsync(api, plan.Namespace, cancellationToken);
        var writer = new ObjectWriter(api, plan, clock);
        var done = new ConcurrentDictionary<RestoreItem, Fate>();
        var failed = new ConcurrentDictionary<RestoreItem, ApiException>();
        foreach (var place in plan.Items.GroupBy(i => i.Place).OrderBy(p => p.Key))
        {
            await WriteAsync(writer, [.. place], done, failed, cancellationToken);
            progress.Report(new TransferProgress("objects", done.Count + failed.Count, plan.Items.Count));
            if (place.Key == Kinds.PlaceOf(Kinds.Definitions))
            {
                await WaitEstablishedAsync(api, [.. place.Where(done.ContainsKey)], failed, cancellationToken);
            }
        }

        var pause = TimeSpan.FromSeconds(1);
        for (var round = 0; round < Rounds && failed.Any(f => IsPassing(f.Value)); round++, pause *= 2)
        {
            await Task.Delay(pause, clock, cancellationToken);
            List<RestoreItem> again = [.. failed.Where(f => IsPassing(f.Value)).Select(f => f.Key).OrderBy(i => i.Place)];
            again.ForEach(item => failed.TryRemove(item, out _));
            foreach (var place in again.GroupBy(i => i.Place))
            {
                await WriteAsync(writer, [.. place], done, failed, cancellationToken);
            }
        }

        LogRestored(plan.BackupId, plan.Namespace, done.Count, failed.Count);
        return Tell(plan, done, failed);
    }

    /// <summary>A kind that has just been defined may not be served for a moment; what depends on another object fails until that is there.</summary>
    private static bool IsPassing(ApiException failure) => failure.IsPassing || failure.IsNotFound;

    private static async Task WriteAsync(
        ObjectWriter writer, IReadOnlyList<RestoreItem> items, ConcurrentDictionary<RestoreItem, Fate> done, ConcurrentDictionary<RestoreItem, ApiException> failed, CancellationToken cancellationToken) =>
        await Parallel.ForEachAsync(
            items,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelObjects, CancellationToken = cancellationToken },
            async (item, token) =>
            {
                try
                {
                    done[item] = await writer.WriteAsync(item, token);
                }
                catch (ApiException refused)
                {
                    failed[item] = refused;
                }
            });

    /// <summary>Nothing can come into a namespace that is on its way out. It may be gone in a moment, or never.</summary>
    private async Task RequireNamespaceNotGoingAsync(KubernetesApi api, string ns, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        try
        {
            while (await api.FindObjectAsync($"api/v1/namespaces/{ns}", cancellationToken) is { } found && found.Text("metadata", "deletionTimestamp") is { } since)
            {
                if (clock.GetElapsedTime(began) > NamespaceBound)
                {
                    var held = found.Items("status", "conditions")
                        .Where(c => c.Text("type") is "NamespaceContentRemaining" or "NamespaceFinalizersRemaining" && c.Text("status") == "True")
                        .Select(c => c.Text("message"));
                    throw new SourceException(
                        $"The namespace '{ns}' is being deleted since {since} and does not end: {string.Join(" ", held)} Remove what holds it, or restore into another namespace (--{RestoreOptionNames.Namespace}). Nothing was written.",
                        isPermanent: false);
                }

                await Task.Delay(Poll, clock, cancellationToken);
            }
        }
        catch (ApiException refused) when (refused.IsForbidden)
        {
            // Whoever may not look at the namespace learns from the first object whether it takes any.
        }
    }

    private async Task WaitEstablishedAsync(
        KubernetesApi api, IReadOnlyList<RestoreItem> definitions, ConcurrentDictionary<RestoreItem, ApiException> failed, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        foreach (var definition in definitions)
        {
            while (await api.FindObjectAsync(definition.Path, cancellationToken) is not { } live
                || !live.Items("status", "conditions").Any(c => c.Text("type") == "Established" && c.Text("status") == "True"))
            {
                if (clock.GetElapsedTime(began) > EstablishBound)
                {
                    failed[definition] = new ApiException(422, "", $"the definition was made, but is not established after {EstablishBound.TotalSeconds:F0} s; see kubectl describe crd {definition.Name}");
                    break;
                }

                await Task.Delay(Poll, clock, cancellationToken);
            }
        }
    }

    private static RestoreOutcome Tell(
        KubernetesRestorePlan plan, ConcurrentDictionary<RestoreItem, Fate> done, ConcurrentDictionary<RestoreItem, ApiException> failed)
    {
        var left = done.Where(d => d.Value == Fate.LeftDifferent).Select(d => d.Key).OrderBy(i => i.ToString(), StringComparer.Ordinal).ToList();
        return new RestoreOutcome
        {
            Notes =
            [
                .. done.Where(d => d.Value != Fate.LeftDifferent).GroupBy(d => d.Value).OrderBy(f => f.Key)
                    .Select(f => $"{Word(f.Key)}: {f.Count()} objects ({string.Join(", ", f.GroupBy(d => d.Key.Resource.Name).OrderBy(k => k.Key, StringComparer.Ordinal).Select(k => $"{k.Count()} {k.Key}"))})."),
                .. left.Select(item => item.Namespace is null && item.Resource.Name != Kinds.Namespaces
                    ? $"{item} is there and different; it is the cluster's, and was left as it is."
                    : $"{item} is there and different, and was left as it is; --{RestoreOptionNames.Mode} merge or replace changes it."),
                .. plan.Notes,
                .. plan.Backup.Sealed.Omissions.Select(o => $"Not in the backup: {o}"),
            ],
            NotRestored = [.. failed.OrderBy(f => f.Key.Place).ThenBy(f => f.Key.ToString(), StringComparer.Ordinal).Select(f => $"{f.Key}: {Refusals.Explain(f.Value)}")],
        };
    }

    private static string Word(Fate fate) => fate switch
    {
        Fate.Created => "Made",
        Fate.Updated => "Changed",
        Fate.Replaced => "Deleted and made anew",
        _ => "As they should be already",
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "Backup {Id} is restored into the namespace {Namespace}: {Done} objects, {Failed} not.")]
    private partial void LogRestored(string id, string @namespace, int done, int failed);
}
