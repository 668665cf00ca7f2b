using System.Security.Cryptography.X509Certificates;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>The connection that every pod is given.</summary>
internal static class InCluster
{
    private const string Folder = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <param name="folder">Where the account's files are mounted; the usual place when null.</param>
    /// <returns>Null outside of a cluster.</returns>
    public static ClusterConnection? Find(Func<string, string?> environment, TimeProvider clock, string? folder = null)
    {
        folder ??= Folder;
        if (environment("KUBERNETES_SERVICE_HOST") is not { Length: > 0 } host || !File.Exists(Path.Combine(folder, "token")))
        {
            return null;
        }

        var port = environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } given ? given : "443";
        var place = Path.Combine(folder, "namespace");
        return new ClusterConnection
        {
            Server = new Uri($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}"),
            Namespace = File.Exists(place) ? File.ReadAllText(place).Trim() : null,
            IsPod = true,
            Origin = "the pod's service account",
            Credential = new TokenFile(Path.Combine(folder, "token"), clock),
            Authorities = () => ReadAuthorities(Path.Combine(folder, "ca.crt")),
        };
    }

    /// <summary>Read at each handshake: authorities are replaced while the agent runs.</summary>
    public static X509Certificate2Collection ReadAuthorities(string path)
    {
        try
        {
            var all = new X509Certificate2Collection();
            all.ImportFromPemFile(path);
            return all;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new SourceException($"The authorities of the Kubernetes API in '{path}' cannot be read: {unreadable.Message}", isPermanent: false, unreadable);
        }
    }
}
