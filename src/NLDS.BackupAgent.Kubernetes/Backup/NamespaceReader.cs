using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary>What was read and what could not be.</summary>
internal sealed record ReadNamespace(
    string ServerVersion, IReadOnlyList<IndexedKind> Kinds, IReadOnlyList<string> Omissions, IReadOnlyDictionary<string, int> Skipped);

/// <summary>
/// Reads every object of a namespace that is worth keeping, kind by kind as the server names them, and of the cluster what those refer to. What is refused is an omission;
/// only when nothing at all could be read is there no backup.
/// </summary>
internal sealed class NamespaceReader(KubernetesApi api, KubernetesOptions options, string ns, bool storesSecrets)
{
    private const int ParallelKinds = 4;

    /// <summary>Kinds of the cluster of which some belong to the namespace by what is in them, and by which field.</summary>
    private static readonly string[] ServingKinds = [Kinds.ValidatingWebhooks, Kinds.MutatingWebhooks, Kinds.ApiServices];

    private readonly ConcurrentQueue<(string Resource, string Sentence)> omissions = new();
    private readonly ConcurrentQueue<IndexedKind> kinds = new();
    private readonly ConcurrentDictionary<string, int> skipped = new();
    private readonly References references = new();
    private readonly ObjectLister lister = new(api);
    private int kept;
    private int readable;

    /// <param name="keep">Gets every object once, from several threads.</param>
    public async Task<ReadNamespace> ReadAsync(Func<ApiResource, JsonElement, ValueTask> keep, CancellationToken cancellationToken)
    {
        var version = await VersionAsync(cancellationToken);
        var isThere = await ReadNamespaceAsync(keep, cancellationToken);
        var served = await Discovery.ReadAsync(api, cancellationToken);
        foreach (var (group, why) in served.Silent)
        {
            Omit(group, $"The API group {group} was not read: its server does not answer ({why}). See kubectl get apiservices.");
        }

        var wanted = served.Resources.Where(IsWanted).ToList();
        var keptKinds = wanted.Select(r => (r.Group, r.Kind)).ToHashSet();
        bool IsKept(string apiVersion, string kind) => keptKinds.Contains((apiVersion.Contains('/', StringComparison.Ordinal) ? apiVersion.Split('/')[0] : "", kind));
        await Parallel.ForEachAsync(
            wanted,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelKinds, CancellationToken = cancellationToken },
            async (resource, token) => await ReadKindAsync(
                resource, ns, value => Kinds.Skip(resource.Name, value, IsKept), keep, token));
        await ReadClusterAsync(served, keep, cancellationToken);
        if (readable == 0)
        {
            throw new SourceException(
                $"Nothing of the namespace '{ns}' may be read by {api.Connection.Origin}: {omissions.First().Sentence} Apply k8s/base/rbac-backup.yaml.", isPermanent: true);
        }

        if (kept == 0 && !isThere)
        {
            // A list in a namespace that does not exist is empty, and not refused.
            throw new SourceException($"The namespace '{ns}' is empty or does not exist; whether it does may not be read. Check Kubernetes:Namespace.", isPermanent: true);
        }

        if (!storesSecrets && wanted.Count > 0 && served.Find("", "secrets") is not null && Selection.Wants(options, served.Find("", "secrets")!))
        {
            Omit(Kinds.Secrets, "Secrets were left out: the repository is not encrypted. Set Repository:Encryption, or Kubernetes:StoreSecretsUnencrypted to true to store them readable.");
        }

        return new ReadNamespace(
            version,
            [.. kinds.OrderBy(k => k.Group, StringComparer.Ordinal).ThenBy(k => k.Plural, StringComparer.Ordinal)],
            [.. omissions.OrderBy(o => o.Resource, StringComparer.Ordinal).Select(o => o.Sentence)],
            skipped.OrderBy(s => s.Key, StringComparer.Ordinal).ToDictionary());
    }

    private bool IsWanted(ApiResource resource) =>
        resource is { IsNamespaced: true, IsRestorable: true }
        && !Kinds.IsPassing(resource.Name)
        && resource.Group != "extensions"
        && (storesSecrets || resource.Name != Kinds.Secrets)
        && Selection.Wants(options, resource);

    private async Task<string> VersionAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var version = await api.GetAsync("version", cancellationToken);
            return version.RootElement.TryGetProperty("gitVersion", out var word) ? word.GetString() ?? "unknown" : "unknown";
        }
        catch (ApiException)
        {
            return "unknown";
        }
    }

    /// <returns>Whether the namespace is certainly there.</returns>
    private async Task<bool> ReadNamespaceAsync(Func<ApiResource, JsonElement, ValueTask> keep, CancellationToken cancellationToken)
    {
        try
        {
            using var document = await api.GetAsync($"api/v1/namespaces/{ns}", cancellationToken);
            var value = document.RootElement;
            if (value.GetProperty("metadata").TryGetProperty("deletionTimestamp", out var since))
            {
                Omit(Kinds.Namespaces, $"The namespace '{ns}' is being deleted since {since.GetString()}: what was gone from it already is not in the backup.");
            }

            await KeepAsync(WellKnown(Kinds.Namespaces)!, value, keep);
            return true;
        }
        catch (ApiException absent) when (absent.IsNotFound)
        {
            throw new SourceException($"There is no namespace '{ns}' at {api.Connection.Server}. Check Kubernetes:Namespace.", isPermanent: true, absent);
        }
        catch (ApiException refused) when (refused.IsForbidden)
        {
            Omit(Kinds.Namespaces, Sentence($"The namespace '{ns}' itself", refused, "get on namespaces"));
            return false;
        }
    }

    private async ValueTask ReadKindAsync(
        ApiResource resource, string? place, Func<JsonObject, string?> skip, Func<ApiResource, JsonElement, ValueTask> keep, CancellationToken cancellationToken)
    {
        var count = 0;
        try
        {
            var (revision, isConsistent) = await lister.ListAsync(
                resource.Path(place),
                async item =>
                {
                    var value = JsonObject.Create(item)!;
                    if (skip(value) is { } why)
                    {
                        skipped.AddOrUpdate(why, 1, (_, n) => n + 1);
                        return;
                    }

                    count++;
                    references.Note(resource, value);
                    await KeepAsync(resource, item, keep);
                },
                cancellationToken);
            Interlocked.Increment(ref readable);
            kinds.Enqueue(Index(resource, count, revision, isConsistent));
        }
        catch (ApiException refused)
        {
            Omit(resource.Name, Sentence(resource.Name, refused, $"list on {resource.Plural}{(resource.Group.Length > 0 ? $" of the group {resource.Group}" : "")}"));
        }
    }

    /// <summary>Of the cluster: what was named, and what leads into the namespace.</summary>
    private async Task ReadClusterAsync(Discovered served, Func<ApiResource, JsonElement, ValueTask> keep, CancellationToken cancellationToken)
    {
        if (Find(served, Kinds.ClusterRoleBindings) is { } bindings)
        {
            await ReadKindAsync(bindings, null, value => value.Items("subjects").Any(s => s.Text("namespace") == ns) ? null : "of other namespaces", keep, cancellationToken);
        }

        foreach (var resource in ServingKinds.Select(k => Find(served, k)).OfType<ApiResource>())
        {
            await ReadKindAsync(resource, null, value => Serves(value) ? null : "of other namespaces", keep, cancellationToken);
        }

        // What is read now may name more: a volume its class.
        var read = new HashSet<(string, string)>();
        var counts = new Dictionary<ApiResource, int>();
        while (references.Named.Where(n => read.Add(n)).ToList() is { Count: > 0 } named)
        {
            foreach (var (kind, name) in named)
            {
                if (Find(served, kind) is { } resource && await ReadOneAsync(resource, name, keep, cancellationToken))
                {
                    counts[resource] = counts.GetValueOrDefault(resource) + 1;
                }
            }
        }

        foreach (var (resource, count) in counts)
        {
            kinds.Enqueue(Index(resource, count, "", isConsistent: true));
        }
    }

    private async Task<bool> ReadOneAsync(ApiResource resource, string name, Func<ApiResource, JsonElement, ValueTask> keep, CancellationToken cancellationToken)
    {
        try
        {
            using var document = await api.GetAsync(resource.Path(null, name), cancellationToken);
            var value = JsonObject.Create(document.RootElement)!;
            if (resource.Name == Kinds.Volumes && value.Text("spec", "claimRef", "namespace") != ns)
            {
                skipped.AddOrUpdate("of other namespaces", 1, (_, n) => n + 1);
                return false;
            }

            if (value.Text("metadata", "labels", "kubernetes.io/bootstrapping") is not null)
            {
                skipped.AddOrUpdate("made by the cluster", 1, (_, n) => n + 1);
                return false;
            }

            references.Note(resource, value);
            await KeepAsync(resource, document.RootElement, keep);
            return true;
        }
        catch (ApiException absent) when (absent.IsNotFound)
        {
            // Named and not there: so it will be after a restore, too.
            return false;
        }
        catch (ApiException refused)
        {
            Omit(resource.Name, Sentence($"{resource.Name}/{name}, which the namespace uses,", refused, $"get on {resource.Plural}"));
            return false;
        }
    }

    private bool Serves(JsonObject value) =>
        value.Text("spec", "service", "namespace") == ns || value.Items("webhooks").Any(w => w.Text("clientConfig", "service", "namespace") == ns);

    private async ValueTask KeepAsync(ApiResource resource, JsonElement value, Func<ApiResource, JsonElement, ValueTask> keep)
    {
        Interlocked.Increment(ref kept);
        await keep(resource, value);
    }

    private void Omit(string resource, string sentence) => omissions.Enqueue((resource, sentence));

    private static string Sentence(string what, ApiException refused, string right) => refused.IsForbidden
        ? $"{what} could not be read: {refused.Message}. Give the account the right to {right} (k8s/base/rbac-backup.yaml)."
        : $"{what} could not be read: {refused.Message} ({refused.Code}).";

    private static ApiResource? Find(Discovered served, string name) => served.Resources.FirstOrDefault(r => r.Name == name);

    private static ApiResource? WellKnown(string name) =>
        new("", "v1", name, "Namespace", false, new HashSet<string>()) { HasStatus = true };

    private static IndexedKind Index(ApiResource resource, int count, string revision, bool isConsistent) => new(
        resource.Group, resource.Version, resource.Plural, resource.Kind, resource.IsNamespaced, resource.HasStatus, count, revision, isConsistent);
}
