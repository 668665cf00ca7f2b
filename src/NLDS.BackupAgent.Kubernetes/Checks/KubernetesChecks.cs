using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Checks;

/// <summary>Looks at the connection, who we are there, the namespace, what the server serves, and the right to read each kind of it.</summary>
internal sealed class KubernetesChecks(KubernetesOptions options, BackupRepository repository, TimeProvider clock)
{
    public async IAsyncEnumerable<CheckFinding> RunAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (api, fault) = Connect();
        if (fault is not null)
        {
            yield return fault;
            yield break;
        }

        using (api)
        {
            var ns = options.Namespace.Length > 0 ? options.Namespace : api!.Connection.Namespace ?? "default";
            var connection = await TryAsync("connection", () => ConnectionAsync(api!, cancellationToken));
            yield return connection;
            if (connection.Verdict == CheckVerdict.Fault)
            {
                yield break;
            }

            yield return await TryAsync("namespace", () => NamespaceAsync(api!, ns, cancellationToken));
            var served = await TryAsync(() => Discovery.ReadAsync(api!, cancellationToken));
            if (served.Result is null)
            {
                yield return new CheckFinding("discovery", CheckVerdict.Fault, served.Fault!);
                yield break;
            }

            yield return DiscoveryFinding(served.Result);
            yield return await TryAsync("permissions", () => PermissionsAsync(api!, ns, served.Result, cancellationToken));
        }

        yield return repository.IsEncrypted || !options.StoreSecretsUnencrypted
            ? new CheckFinding("secrets", repository.IsEncrypted ? CheckVerdict.Good : CheckVerdict.Warning, repository.IsEncrypted
                ? "are stored encrypted"
                : "are left out of every backup, because the repository is not encrypted: each backup is partial. Set Repository:Encryption.")
            : new CheckFinding("secrets", CheckVerdict.Warning, "are stored readable, as Kubernetes:StoreSecretsUnencrypted says. Set Repository:Encryption instead.");
    }

    private (KubernetesApi? Api, CheckFinding? Fault) Connect()
    {
        try
        {
            return (new KubernetesApi(ClusterConnections.Find(options, clock), clock), null);
        }
        catch (SourceException unusable)
        {
            return (null, new CheckFinding("connection", CheckVerdict.Fault, unusable.Message));
        }
    }

    private static async Task<CheckFinding> ConnectionAsync(KubernetesApi api, CancellationToken cancellationToken)
    {
        using var version = await api.GetAsync("version", cancellationToken);
        var words = $"{api.Connection.Server} ({version.RootElement.GetProperty("gitVersion").GetString()}) as {await WhoAsync(api, cancellationToken)}, by {api.Connection.Origin}";
        return api.Connection.IsInsecure
            ? new CheckFinding("connection", CheckVerdict.Warning, $"{words}; its certificate is not looked at (insecure-skip-tls-verify), so that anybody between may read the Secrets. Give the kubeconfig a certificate-authority.")
            : new CheckFinding("connection", CheckVerdict.Good, words);
    }

    private static async Task<string> WhoAsync(KubernetesApi api, CancellationToken cancellationToken)
    {
        try
        {
            var review = new JsonObject { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "SelfSubjectReview" };
            var answer = await api.WriteAsync(new ApiCall(HttpMethod.Post, "apis/authentication.k8s.io/v1/selfsubjectreviews") { Body = review }, cancellationToken);
            return answer.Text("status", "userInfo", "username") ?? "somebody";
        }
        catch (ApiException)
        {
            // Servers before 1.28 do not tell.
            return "somebody";
        }
    }

    private static async Task<CheckFinding> NamespaceAsync(KubernetesApi api, string ns, CancellationToken cancellationToken)
    {
        try
        {
            var found = await api.FindObjectAsync($"api/v1/namespaces/{ns}", cancellationToken);
            return found switch
            {
                null => new CheckFinding("namespace", CheckVerdict.Fault, $"'{ns}' does not exist. Check Kubernetes:Namespace."),
                _ when found.Text("metadata", "deletionTimestamp") is { } since => new CheckFinding("namespace", CheckVerdict.Warning, $"'{ns}' is being deleted since {since}."),
                _ => new CheckFinding("namespace", CheckVerdict.Good, ns),
            };
        }
        catch (ApiException refused) when (refused.IsForbidden)
        {
            return new CheckFinding("namespace", CheckVerdict.Warning, $"whether '{ns}' exists may not be read, and it is not in the backup: give the account get on namespaces (k8s/base/rbac-backup.yaml).");
        }
    }

    private static CheckFinding DiscoveryFinding(Discovered served) => served.Silent.Count == 0
        ? new CheckFinding("discovery", CheckVerdict.Good, $"{served.Resources.Count(r => r is { IsNamespaced: true, IsRestorable: true })} kinds of a namespace, {served.Resources.Count(r => r is { IsNamespaced: false, IsRestorable: true })} of the cluster")
        : new CheckFinding(
            "discovery", CheckVerdict.Warning,
            $"{string.Join(", ", served.Silent.Select(s => s.Group))} do not answer, and what they serve is not backed up ({served.Silent[0].Why}). See kubectl get apiservices.");

    private async Task<CheckFinding> PermissionsAsync(KubernetesApi api, string ns, Discovered served, CancellationToken cancellationToken)
    {
        var wanted = served.Resources
            .Where(r => r is { IsNamespaced: true, IsRestorable: true } && !Kinds.IsPassing(r.Name) && Selection.Wants(options, r))
            .Where(r => r.Name != Kinds.Secrets || repository.IsEncrypted || options.StoreSecretsUnencrypted)
            .Select(r => (Resource: r, Verb: "list", Place: (string?)ns))
            .Concat(served.Resources.Where(r => r.Name is Kinds.Volumes or Kinds.Definitions or Kinds.StorageClasses or Kinds.ClusterRoles).Select(r => (Resource: r, Verb: "get", Place: (string?)null)))
            .Concat(served.Resources.Where(r => r.Name is Kinds.ClusterRoleBindings).Select(r => (Resource: r, Verb: "list", Place: (string?)null)))
            .ToList();
        var denied = new System.Collections.Concurrent.ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            wanted,
            new ParallelOptions { MaxDegreeOfParallelism = KubernetesApi.Parallel, CancellationToken = cancellationToken },
            async (right, token) =>
            {
                if (!await MayAsync(api, right.Resource, right.Verb, right.Place, token))
                {
                    denied.Add($"{right.Verb} {right.Resource.Name}");
                }
            });
        return denied.IsEmpty
            ? new CheckFinding("permissions", CheckVerdict.Good, $"all {wanted.Count} kinds can be read")
            : new CheckFinding(
                "permissions", CheckVerdict.Warning,
                $"missing: {string.Join(", ", denied.Order(StringComparer.Ordinal))}. Every backup will be partial. Apply k8s/base/rbac-backup.yaml.");
    }

    private static async Task<bool> MayAsync(KubernetesApi api, ApiResource resource, string verb, string? ns, CancellationToken cancellationToken)
    {
        var attributes = new JsonObject { ["verb"] = verb, ["group"] = resource.Group, ["resource"] = resource.Plural };
        if (ns is not null)
        {
            attributes["namespace"] = ns;
        }

        var answer = await api.WriteAsync(
            new ApiCall(HttpMethod.Post, "apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            {
                Body = new JsonObject
                {
                    ["apiVersion"] = "authorization.k8s.io/v1", ["kind"] = "SelfSubjectAccessReview", ["spec"] = new JsonObject { ["resourceAttributes"] = attributes },
                },
            },
            cancellationToken);
        return answer.IsTrue("status", "allowed");
    }

    private static async Task<CheckFinding> TryAsync(string subject, Func<Task<CheckFinding>> look)
    {
        try
        {
            return await look();
        }
        catch (Exception failure) when (failure is SourceException or ApiException)
        {
            return new CheckFinding(subject, CheckVerdict.Fault, failure.Message);
        }
    }

    private static async Task<(T? Result, string? Fault)> TryAsync<T>(Func<Task<T>> look)
        where T : class
    {
        try
        {
            return (await look(), null);
        }
        catch (Exception failure) when (failure is SourceException or ApiException)
        {
            return (null, failure.Message);
        }
    }
}
