using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>What became of one object.</summary>
internal enum Fate
{
    Created,
    Updated,
    Replaced,
    Unchanged,

    /// <summary>There, different, and left as it is.</summary>
    LeftDifferent,
}

/// <summary>Brings one object to what it should be, by the mode of the restore.</summary>
internal sealed class ObjectWriter(KubernetesApi api, KubernetesRestorePlan plan, TimeProvider clock)
{
    public const string Manager = "nlds-restore";

    /// <summary>Somebody else writes the same object at the same moment: so often is it read again.</summary>
    private const int Races = 5;

    private static readonly TimeSpan GoneBound = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <summary>To make one of these anew destroys what it holds.</summary>
    private static readonly string[] NeverDeleted = [Kinds.Claims, Kinds.Volumes, Kinds.Namespaces, Kinds.Definitions];

    /// <exception cref="ApiException">The server refused.</exception>
    public async Task<Fate> WriteAsync(RestoreItem item, CancellationToken cancellationToken)
    {
        try
        {
            await CreateAsync(item, cancellationToken);
            return Fate.Created;
        }
        catch (ApiException exists) when (exists.AlreadyExists)
        {
            return await MeetAsync(item, cancellationToken);
        }
    }

    private async Task CreateAsync(RestoreItem item, CancellationToken cancellationToken) =>
        await api.WriteAsync(new ApiCall(HttpMethod.Post, $"{item.Collection}?fieldManager={Manager}") { Body = item.Desired }, cancellationToken);

    /// <summary>It is there.</summary>
    private async Task<Fate> MeetAsync(RestoreItem item, CancellationToken cancellationToken)
    {
        var live = await api.GetObjectAsync(item.Path, cancellationToken);
        if (live.At("metadata", "deletionTimestamp") is not null)
        {
            throw new ApiException(409, "Conflict", $"{item} is being deleted");
        }

        if (item.Resource.Name == Kinds.Volumes && await OfferAsync(item, live, cancellationToken))
        {
            return Fate.Updated;
        }

        var isOurs = item.Resource.IsNamespaced || item.Resource.Name == Kinds.Namespaces;
        if (Comparison.Holds(live, item.Desired) && !(plan.Mode == RestoreMode.Replace && isOurs))
        {
            return Fate.Unchanged;
        }

        return plan.Mode switch
        {
            // What belongs to the whole cluster may be others' by now: it is made where it is missing, and never changed.
            _ when !isOurs => Fate.LeftDifferent,
            RestoreMode.Merge => await MergeAsync(item, live, plan.ForcesConflicts, cancellationToken),
            _ when item.IsAlwaysThere || (item.Resource.Name == Kinds.Namespaces && plan.Mode == RestoreMode.Replace) => await MergeAsync(item, live, force: true, cancellationToken),
            RestoreMode.Replace => await ReplaceAsync(item, live, cancellationToken),
            _ => Fate.LeftDifferent,
        };
    }

    private async Task<Fate> MergeAsync(RestoreItem item, JsonObject live, bool force, CancellationToken cancellationToken)
    {
        var merged = await api.WriteAsync(Apply(item, force, dryRun: false), cancellationToken);
        return Comparison.IsSame(live, merged) ? Fate.Unchanged : Fate.Updated;
    }

    public static ApiCall Apply(RestoreItem item, bool force, bool dryRun) =>
        new(HttpMethod.Patch, $"{item.Path}?fieldManager={Manager}{(force ? "&force=true" : "")}{(dryRun ? "&dryRun=All" : "")}")
        {
            Body = item.Desired, ContentType = "application/apply-patch+yaml",
        };

    private async Task<Fate> ReplaceAsync(RestoreItem item, JsonObject live, CancellationToken cancellationToken)
    {
        for (var race = 1; ; race++)
        {
            try
            {
                var put = await api.WriteAsync(new ApiCall(HttpMethod.Put, $"{item.Path}?fieldManager={Manager}") { Body = Over(item, live) }, cancellationToken);
                return Comparison.IsSame(live, put) ? Fate.Unchanged : Fate.Updated;
            }
            catch (ApiException changed) when (changed.Code == 409 && race < Races)
            {
                live = await api.GetObjectAsync(item.Path, cancellationToken);
            }
            catch (ApiException immutable) when (immutable.IsImmutable && !NeverDeleted.Contains(item.Resource.Name))
            {
                await DeleteAsync(item, live, cancellationToken);
                await CreateAsync(item, cancellationToken);
                return Fate.Replaced;
            }
        }
    }

    /// <summary>As it should be, with what the cluster gave the live one and would refuse to take back.</summary>
    public static JsonObject Over(RestoreItem item, JsonObject live)
    {
        var next = item.Desired.DeepClone().AsObject();
        next["metadata"]!["resourceVersion"] = live.Text("metadata", "resourceVersion");
        switch (item.Resource.Name)
        {
            case Kinds.Services:
                foreach (var field in new[] { "clusterIP", "clusterIPs", "healthCheckNodePort" })
                {
                    if (next.At("spec", field) is null && live.At("spec", field) is { } given)
                    {
                        next["spec"]![field] = given.DeepClone();
                    }
                }

                foreach (var port in next.Items("spec", "ports").Where(p => p["nodePort"] is null))
                {
                    if (live.Items("spec", "ports").FirstOrDefault(p => JsonNode.DeepEquals(p["port"], port["port"]) && p.Text("protocol") == (port.Text("protocol") ?? "TCP"))?["nodePort"] is { } given)
                    {
                        port["nodePort"] = given.DeepClone();
                    }
                }

                break;
            case Kinds.Claims when next.At("spec", "volumeName") is null && live.At("spec", "volumeName") is { } bound:
                next["spec"]!["volumeName"] = bound.DeepClone();
                break;
            case Kinds.Jobs when live.At("spec", "selector") is { } selector:
                next["spec"]!["selector"] = selector.DeepClone();
                next["spec"]!["manualSelector"] = live.At("spec", "manualSelector")?.DeepClone();
                next["spec"]!["template"]!["metadata"] = live.At("spec", "template", "metadata")?.DeepClone();
                break;
            case Kinds.Secrets when next["data"] is null && live["data"] is { } token:
                next["data"] = token.DeepClone();
                break;
        }

        return next;
    }

    /// <summary>Only the very object that was looked at.</summary>
    private async Task DeleteAsync(RestoreItem item, JsonObject live, CancellationToken cancellationToken)
    {
        var options = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "DeleteOptions",
            ["propagationPolicy"] = "Background",
            ["preconditions"] = new JsonObject { ["uid"] = live.Text("metadata", "uid") },
        };
        await api.WriteAsync(new ApiCall(HttpMethod.Delete, item.Path) { Body = options }, cancellationToken);
        var began = clock.GetTimestamp();
        while (await api.FindObjectAsync(item.Path, cancellationToken) is { } left && left.Text("metadata", "uid") == live.Text("metadata", "uid"))
        {
            if (clock.GetElapsedTime(began) > GoneBound)
            {
                throw new ApiException(409, "Conflict", $"{item} is being deleted, and is held by {left.At("metadata", "finalizers")?.ToJsonString() ?? "its pods"}");
            }

            await Task.Delay(Poll, clock, cancellationToken);
        }
    }

    /// <summary>
    /// A volume whose claim went with the namespace is Released: it waits for a claim that no longer exists, and no other gets it. What names the old claim's uid is
    /// taken away, and the claim of the same name that is restored finds its data again.
    /// </summary>
    private async Task<bool> OfferAsync(RestoreItem item, JsonObject live, CancellationToken cancellationToken)
    {
        if (live.Text("status", "phase") != "Released"
            || live.Text("spec", "claimRef", "namespace") != item.Desired.Text("spec", "claimRef", "namespace")
            || live.Text("spec", "claimRef", "name") != item.Desired.Text("spec", "claimRef", "name"))
        {
            return false;
        }

        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject { ["resourceVersion"] = live.Text("metadata", "resourceVersion") },
            ["spec"] = new JsonObject { ["claimRef"] = new JsonObject { ["uid"] = null, ["resourceVersion"] = null } },
        };
        await api.WriteAsync(new ApiCall(HttpMethod.Patch, $"{item.Path}?fieldManager={Manager}") { Body = patch, ContentType = "application/merge-patch+json" }, cancellationToken);
        return true;
    }
}
