using System.Text.Json;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>What an API server serves.</summary>
/// <param name="Resources">Each kind once, in the version that its group prefers.</param>
/// <param name="Silent">Groups that could not be asked, with why: what they serve is not known.</param>
internal sealed record Discovered(IReadOnlyList<ApiResource> Resources, IReadOnlyList<(string Group, string Why)> Silent)
{
    public ApiResource? Find(string group, string plural) => Resources.FirstOrDefault(r => r.Group == group && r.Plural == plural);

    public ApiResource? FindKind(string apiVersion, string kind)
    {
        var group = apiVersion.Contains('/', StringComparison.Ordinal) ? apiVersion[..apiVersion.IndexOf('/', StringComparison.Ordinal)] : "";
        return Resources.FirstOrDefault(r => r.Group == group && r.Kind == kind);
    }
}

/// <summary>
/// Asks an API server what it serves: in one document each for the core and for the groups (1.26 and later), or group by group as before. A group whose own server is
/// down must neither fail the whole nor shrink it unseen.
/// </summary>
internal static class Discovery
{
    private const string Aggregated =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

    /// <exception cref="SourceException">The server answers with something else.</exception>
    public static async Task<Discovered> ReadAsync(KubernetesApi api, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAllAsync(api, cancellationToken);
        }
        catch (Exception odd) when (odd is KeyNotFoundException or InvalidOperationException)
        {
            throw new SourceException($"{api.Connection.Server} does not say what it serves as a Kubernetes API server does: {odd.Message} Check the server of {api.Connection.Origin}.", isPermanent: false, odd);
        }
    }

    private static async Task<Discovered> ReadAllAsync(KubernetesApi api, CancellationToken cancellationToken)
    {
        var (found, silent) = (new List<ApiResource>(), new List<(string, string)>());
        foreach (var root in new[] { "api", "apis" })
        {
            var isAggregated = false;
            using var document = await api.SendAsync(
                new ApiCall(HttpMethod.Get, root)
                {
                    Accept = Aggregated,
                    Answered = answer => isAggregated = answer.Content.Headers.ContentType?.ToString().Contains("APIGroupDiscoveryList", StringComparison.Ordinal) == true,
                },
                cancellationToken);
            if (isAggregated)
            {
                await ReadAggregatedAsync(api, document.RootElement, found, silent, cancellationToken);
            }
            else
            {
                await ReadLegacyAsync(api, root == "api", document.RootElement, found, silent, cancellationToken);
            }
        }

        // The first version that has a kind is the one its group prefers.
        return new Discovered([.. found.DistinctBy(r => (r.Group, r.Plural)).OrderBy(r => r.Group, StringComparer.Ordinal).ThenBy(r => r.Plural, StringComparer.Ordinal)], silent);
    }

    private static async Task ReadAggregatedAsync(
        KubernetesApi api, JsonElement document, List<ApiResource> found, List<(string, string)> silent, CancellationToken cancellationToken)
    {
        foreach (var group in document.GetProperty("items").EnumerateArray())
        {
            var name = group.TryGetProperty("metadata", out var metadata) && metadata.TryGetProperty("name", out var word) ? word.GetString() ?? "" : "";
            foreach (var version in group.GetProperty("versions").EnumerateArray())
            {
                var versionName = Word(version, "version");
                if (version.TryGetProperty("freshness", out var freshness) && freshness.GetString() == "Stale")
                {
                    await ReadVersionAsync(api, name, versionName, found, silent, cancellationToken);
                    continue;
                }

                foreach (var resource in version.GetProperty("resources").EnumerateArray())
                {
                    if (resource.TryGetProperty("responseKind", out var kind))
                    {
                        found.Add(new ApiResource(
                            name,
                            versionName,
                            Word(resource, "resource"),
                            Word(kind, "kind"),
                            resource.GetProperty("scope").GetString() == "Namespaced",
                            Verbs(resource))
                        {
                            HasStatus = resource.TryGetProperty("subresources", out var subs) && subs.EnumerateArray().Any(s => s.GetProperty("subresource").GetString() == "status"),
                        });
                    }
                }
            }
        }
    }

    private static async Task ReadLegacyAsync(
        KubernetesApi api, bool isCore, JsonElement document, List<ApiResource> found, List<(string, string)> silent, CancellationToken cancellationToken)
    {
        if (isCore)
        {
            foreach (var version in document.GetProperty("versions").EnumerateArray())
            {
                await ReadVersionAsync(api, "", Word(version), found, silent, cancellationToken);
            }

            return;
        }

        foreach (var group in document.GetProperty("groups").EnumerateArray())
        {
            var preferred = Word(group.GetProperty("preferredVersion"), "version");
            foreach (var version in group.GetProperty("versions").EnumerateArray().Select(v => Word(v, "version")).OrderByDescending(v => v == preferred))
            {
                await ReadVersionAsync(api, Word(group, "name"), version, found, silent, cancellationToken);
            }
        }
    }

    private static async Task ReadVersionAsync(
        KubernetesApi api, string group, string version, List<ApiResource> found, List<(string, string)> silent, CancellationToken cancellationToken)
    {
        try
        {
            using var document = await api.SendAsync(
                new ApiCall(HttpMethod.Get, group.Length == 0 ? $"api/{version}" : $"apis/{group}/{version}") { FailsFast = true }, cancellationToken);
            var all = document.RootElement.GetProperty("resources").EnumerateArray().ToList();
            var parts = all.Select(r => Word(r, "name")).Where(n => n.EndsWith("/status", StringComparison.Ordinal)).ToHashSet();
            found.AddRange(all.Where(r => !Word(r, "name").Contains('/', StringComparison.Ordinal)).Select(r => new ApiResource(
                group, version, Word(r, "name"), Word(r, "kind"), r.GetProperty("namespaced").GetBoolean(), Verbs(r))
            {
                HasStatus = parts.Contains(Word(r, "name") + "/status"),
            }));
        }
        catch (ApiException down)
        {
            silent.Add((group.Length == 0 ? version : $"{group}/{version}", down.Message));
        }
    }

    private static string Word(JsonElement parent, string name) => Word(parent.GetProperty(name));

    private static string Word(JsonElement value) => value.GetString() ?? throw new InvalidOperationException("a word is null.");

    private static HashSet<string> Verbs(JsonElement resource) => [.. resource.GetProperty("verbs").EnumerateArray().Select(v => Word(v))];
}
