using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>Proves a restore: the whole archive is read and held against its index, the cluster answers, and, for a plan, the server tries each object.</summary>
internal sealed class RestorePlanner(KubernetesOptions options, BackupRepository repository, ArchiveReader archives, TimeProvider clock)
{
    /// <summary>An object takes the server some milliseconds, a few at once.</summary>
    private static readonly TimeSpan TimePerObject = TimeSpan.FromMilliseconds(5);

    private static readonly TimeSpan TimeForReadiness = TimeSpan.FromSeconds(5);

    public async Task<KubernetesRestorePlan> PlanAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        var mode = RestoreOptionNames.ParseMode(Option(request, RestoreOptionNames.Mode));
        var choice = new Choice(request);
        await repository.RequireAsync(cancellationToken);
        var backups = await KubernetesCatalog.ListAsync(repository, cancellationToken);
        var backup = Choose(backups, request.BackupId);
        var to = Option(request, RestoreOptionNames.Namespace) ?? backup.Details.Namespace;
        if (to.Length is 0 or > 63 || to.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-'))
        {
            throw new UsageException($"--{RestoreOptionNames.Namespace} is '{to}'. Write a namespace's name: lower-case letters, digits and dashes.");
        }

        var (index, objects) = await archives.ReadObjectsAsync(backup, cancellationToken);
        using var api = new KubernetesApi(ClusterConnections.Find(options, clock), clock);
        try
        {
            var isRehearsal = request.Options.ContainsKey(RestoreOptionNames.Rehearsal);
            if (isRehearsal && to == index.Namespace)
            {
                throw new UsageException($"A drill of '{to}' cannot be held in '{to}'. Set Drill:Kubernetes:Namespace to another name.");
            }

            var preparation = await PrepareAsync(api, index, objects, to, backup, isRehearsal, cancellationToken);
            var items = choice.Of(preparation.Items);
            var steps = mode == RestoreMode.Plan ? await TryAsync(api, items, to, cancellationToken) : Describe(items, mode, to);
            var missing = backup.Sealed.Omissions;
            return new KubernetesRestorePlan
            {
                Source = KubernetesCatalog.Source,
                BackupId = backup.Sealed.Id.ToString(),
                Target = $"namespace {to} at {api.Connection.Server}{(choice.IsAll ? "" : $" ({items.Count} of {preparation.Items.Count} objects)")}",
                RecoversTo = backup.Sealed.CurrentAt,
                StoredBytes = backup.Sealed.StoredBytes,
                ContentBytes = objects.Values.Sum(o => (long)o.Length),
                Estimate = TimeForReadiness + (TimePerObject * items.Count),
                IsOnlyAPlan = mode == RestoreMode.Plan,
                Steps = steps,
                Warnings =
                [
                    .. backups.Damaged.Where(d => d.Id > backup.Sealed.Id).Select(d => $"The newer backup {d.Id} was passed over: {d.Reason}"),
                    .. missing.Select(o => $"Not in the backup: {o}"),
                    .. preparation.Notes,
                ],
                Backup = backup,
                Mode = mode,
                Namespace = to,
                ForcesConflicts = request.Options.ContainsKey(RestoreOptionNames.ForceConflicts),
                Items = items,
                Notes = preparation.Notes,
            };
        }
        catch (ApiException refused)
        {
            throw new SourceException($"The Kubernetes API at {api.Connection.Server} refused: {refused.Message} ({refused.Code}). Nothing was written.", refused.IsForbidden, refused);
        }
    }

    private static async Task<(IReadOnlyList<RestoreItem> Items, IReadOnlyList<string> Notes)> PrepareAsync(
        KubernetesApi api, BackupIndex index, IReadOnlyDictionary<string, byte[]> objects, string to, NamespaceBackup backup, bool isRehearsal, CancellationToken cancellationToken)
    {
        var volumes = new HashSet<string>();
        var named = index.Objects.Where(o => o.Kind == Kinds.Volumes).Select(o => o.Name)
            .Concat(index.Objects.Where(o => o.Kind == Kinds.Claims).Select(o => JsonNode.Parse(objects[o.Path], documentOptions: JsonPaths.Strict).Text("spec", "volumeName")).OfType<string>());
        foreach (var name in named.Distinct())
        {
            if (await FindAsync(api, $"api/v1/persistentvolumes/{Uri.EscapeDataString(name)}", cancellationToken) is not null)
            {
                volumes.Add(name);
            }
        }

        var hasSource = index.Namespace != to && await FindAsync(api, $"api/v1/namespaces/{index.Namespace}", cancellationToken) is not null;
        var preparation = new Preparation(index, to, backup.Sealed.Id.ToString(), volumes.Contains, hasSource) { IsRehearsal = isRehearsal };
        return (preparation.Run(objects), preparation.Notes);
    }

    /// <summary>What may not be looked at is taken for there: then nothing is taken from it.</summary>
    private static async Task<JsonObject?> FindAsync(KubernetesApi api, string path, CancellationToken cancellationToken)
    {
        try
        {
            return await api.FindObjectAsync(path, cancellationToken);
        }
        catch (ApiException refused) when (refused.IsForbidden)
        {
            return [];
        }
    }

    private static string[] Describe(IReadOnlyList<RestoreItem> items, RestoreMode mode, string to)
    {
        var what = mode switch
        {
            RestoreMode.Create => "make what is missing; leave what is there as it is",
            RestoreMode.Merge => "set the backup's fields in what is there (server-side apply); other fields stay",
            _ => "make each object what it was; where a field cannot change, delete the object and make it anew (never a claim, a volume or a definition)",
        };
        return
        [
            $"Mode {mode.ToString().ToLowerInvariant()}: {what}. Objects of the cluster are made where they are missing, and never changed.",
            .. items.GroupBy(i => i.Resource.Name).Select(kind => $"{kind.Key}: {kind.Count()} into {(kind.First().Namespace is null ? "the cluster" : to)}"),
        ];
    }

    /// <summary>The server's own word on each object, without a trace: admission, quotas and permissions included.</summary>
    private static async Task<IReadOnlyList<string>> TryAsync(KubernetesApi api, IReadOnlyList<RestoreItem> items, string to, CancellationToken cancellationToken)
    {
        var served = await Discovery.ReadAsync(api, cancellationToken);
        var hasNamespace = await api.FindObjectAsync($"api/v1/namespaces/{to}", cancellationToken) is not null;
        var verdicts = new string[items.Count];
        await Parallel.ForAsync(
            0,
            items.Count,
            new ParallelOptions { MaxDegreeOfParallelism = KubernetesApi.Parallel, CancellationToken = cancellationToken },
            async (index, token) => verdicts[index] = $"{items[index]}: {await TryAsync(api, items[index], items, served, hasNamespace, token)}");
        return verdicts;
    }

    private static async Task<string> TryAsync(
        KubernetesApi api, RestoreItem item, IReadOnlyList<RestoreItem> items, Discovered served, bool hasNamespace, CancellationToken cancellationToken)
    {
        if (served.Find(item.Resource.Group, item.Resource.Plural) is null)
        {
            return items.Any(i => i.Resource.Name == Kinds.Definitions && i.Name == item.Resource.Name)
                ? "create (cannot be tried before its definition is there, which comes first)"
                : $"impossible: this cluster has no {item.Resource.Name}";
        }

        if (item.Namespace is not null && !hasNamespace)
        {
            return $"create (cannot be tried before the namespace {item.Namespace} is there)";
        }

        try
        {
            if (await api.FindObjectAsync(item.Path, cancellationToken) is not { } live)
            {
                await api.WriteAsync(new ApiCall(HttpMethod.Post, $"{item.Collection}?dryRun=All&fieldManager={ObjectWriter.Manager}") { Body = item.Desired }, cancellationToken);
                return "create";
            }

            if (Comparison.Holds(live, item.Desired))
            {
                return "unchanged";
            }

            if (item.Namespace is null && item.Resource.Name != Kinds.Namespaces)
            {
                return "differs; it is the cluster's, and is left as it is";
            }

            var merge = await MergeVerdictAsync(api, item, cancellationToken);
            var replace = await ReplaceVerdictAsync(api, item, live, cancellationToken);
            return $"differs; create leaves it, merge {merge}, replace {replace}";
        }
        catch (ApiException refused)
        {
            return $"refused: {Refusals.Explain(refused)}";
        }
    }

    private static async Task<string> MergeVerdictAsync(KubernetesApi api, RestoreItem item, CancellationToken cancellationToken)
    {
        try
        {
            await api.WriteAsync(ObjectWriter.Apply(item, force: false, dryRun: true), cancellationToken);
            return "changes it";
        }
        catch (ApiException conflict) when (conflict.IsFieldConflict)
        {
            return $"meets other owners ({string.Join(", ", conflict.Causes.Select(c => c.Field))})";
        }
        catch (ApiException immutable) when (immutable.IsImmutable)
        {
            return "cannot change it";
        }
    }

    private static async Task<string> ReplaceVerdictAsync(KubernetesApi api, RestoreItem item, JsonObject live, CancellationToken cancellationToken)
    {
        try
        {
            await api.WriteAsync(new ApiCall(HttpMethod.Put, $"{item.Path}?dryRun=All&fieldManager={ObjectWriter.Manager}") { Body = ObjectWriter.Over(item, live) }, cancellationToken);
            return "changes it";
        }
        catch (ApiException immutable) when (immutable.IsImmutable)
        {
            return $"deletes it and makes it anew, unless it holds data ({string.Join(", ", immutable.Causes.Select(c => c.Field))} cannot change)";
        }
    }

    private static NamespaceBackup Choose(BackupListing<NamespaceBackup> backups, string? wanted)
    {
        if (backups.Damaged.FirstOrDefault(d => d.Id.ToString() == wanted) is { } damaged)
        {
            throw new NotRestorableException($"Kubernetes backup {wanted} cannot be restored: {damaged.Reason}");
        }

        return backups.LastOrDefault(b => wanted is null or "latest" || b.Sealed.Id.ToString() == wanted)
            ?? throw new NotRestorableException(
                backups.Count == 0 || wanted is null
                    ? string.Join(" ", backups.Damaged.Select(d => d.Reason).Append("There is no Kubernetes backup in the repository that can be restored. Run 'backup kubernetes'."))
                    : $"There is no Kubernetes backup '{wanted}'. Those there are: {string.Join(", ", backups.Select(b => b.Sealed.Id))}.");
    }

    private static string? Option(RestoreRequest request, string name) =>
        request.Options.TryGetValue(name, out var values) && values.Count > 0 ? values[0] : null;
}
