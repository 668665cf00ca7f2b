using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Repository.Sources;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>A connection as kubeconfig files describe it. Of several files, the first that says a thing counts, as for kubectl.</summary>
internal static class Kubeconfig
{
    private const int DeepestNesting = 64;

    /// <param name="paths">Files; those that are absent are passed over, unless all are.</param>
    /// <param name="context">Its name; the current one when null.</param>
    public static ClusterConnection Read(IReadOnlyList<string> paths, string? context, TimeProvider clock)
    {
        var files = paths.Where(File.Exists).Select(path => (Path: path, Root: Load(path))).ToList();
        if (files.Count == 0)
        {
            throw new SourceException($"There is no kubeconfig at '{string.Join("', '", paths)}'. Set Kubernetes:Kubeconfig.", isPermanent: true);
        }

        var where = files[0].Path;
        var name = context ?? files.Select(f => Text(f.Root, "current-context")).FirstOrDefault(c => c is { Length: > 0 })
            ?? throw new SourceException($"'{where}' names no current-context. Set Kubernetes:Context.", isPermanent: true);
        var (chosen, _) = Find(files, "contexts", "context", name, where);
        var (cluster, clusterFile) = Find(files, "clusters", "cluster", Require(chosen, "cluster", $"context '{name}'", where), where);
        var user = Text(chosen, "user") is { Length: > 0 } userName ? Find(files, "users", "user", userName, where) : (new YamlMappingNode(), where);
        var server = Require(cluster, "server", $"the cluster of context '{name}'", clusterFile);
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || address.Scheme is not ("https" or "http"))
        {
            throw new SourceException($"The server '{server}' of context '{name}' in '{clusterFile}' is not an http or https address.", isPermanent: true);
        }

        return new ClusterConnection
        {
            Server = address,
            Namespace = Text(chosen, "namespace"),
            Origin = $"context {name} of {where}",
            IsInsecure = Text(cluster, "insecure-skip-tls-verify") == "true",
            CertificateName = Text(cluster, "tls-server-name"),
            Proxy = Text(cluster, "proxy-url") is { Length: > 0 } proxy ? AddressOf(proxy, clusterFile) : null,
            Authorities = Authorities(cluster, clusterFile),
            Credential = Credential(user.Item1, user.Item2, cluster, server, clock),
        };
    }

    private static Uri AddressOf(string proxy, string file) => Uri.TryCreate(proxy, UriKind.Absolute, out var address)
        ? address
        : throw new SourceException($"The proxy-url '{proxy}' in '{file}' is not an address.", isPermanent: true);

    private static ICredential Credential(YamlMappingNode user, string file, YamlMappingNode cluster, string server, TimeProvider clock)
    {
        if (Text(user, "tokenFile") is { Length: > 0 } tokenFile)
        {
            return new TokenFile(Beside(file, tokenFile), clock);
        }

        if (Map(user, "exec") is { } exec)
        {
            var command = Require(exec, "command", "the exec section", file);
            return new ExecPlugin(
                new ExecPlugin.Settings(
                    Text(exec, "apiVersion") ?? "client.authentication.k8s.io/v1",
                    command.Contains('/', StringComparison.Ordinal) ? Beside(file, command) : command,
                    [.. Items(exec, "args").OfType<YamlScalarNode>().Select(a => a.Value ?? "")],
                    [.. Items(exec, "env").OfType<YamlMappingNode>().Select(e => KeyValuePair.Create(Text(e, "name") ?? "", Text(e, "value") ?? ""))],
                    Text(exec, "installHint"),
                    Text(exec, "provideClusterInfo") == "true"
                        ? new JsonObject { ["server"] = server, ["certificate-authority-data"] = Text(cluster, "certificate-authority-data") }
                        : null),
                clock);
        }

        if (Map(user, "auth-provider") is not null)
        {
            throw new SourceException($"'{file}' logs in by an auth-provider, which Kubernetes itself has given up. Use an exec plugin or a token.", isPermanent: true);
        }

        return new FixedCredential(Text(user, "token"), Certificate(user, file));
    }

    private static X509Certificate2? Certificate(YamlMappingNode user, string file)
    {
        var certificate = Pem(user, "client-certificate", file);
        var key = Pem(user, "client-key", file);
        if (certificate is null || key is null)
        {
            return certificate is null == key is null
                ? null
                : throw new SourceException($"A user in '{file}' has only one of client-certificate and client-key.", isPermanent: true);
        }

        try
        {
            return X509Certificate2.CreateFromPem(certificate, key);
        }
        catch (CryptographicException odd)
        {
            throw new SourceException($"The client certificate of a user in '{file}' and its key do not go together: {odd.Message}", isPermanent: true, odd);
        }
    }

    private static Func<X509Certificate2Collection>? Authorities(YamlMappingNode cluster, string file)
    {
        if (Text(cluster, "certificate-authority-data") is { Length: > 0 } data)
        {
            return () =>
            {
                var all = new X509Certificate2Collection();
                all.ImportFromPem(Decode(data, "certificate-authority-data", file));
                return all;
            };
        }

        return Text(cluster, "certificate-authority") is { Length: > 0 } path ? () => InCluster.ReadAuthorities(Beside(file, path)) : null;
    }

    private static string? Pem(YamlMappingNode user, string name, string file)
    {
        if (Text(user, name + "-data") is { Length: > 0 } data)
        {
            return Decode(data, name + "-data", file);
        }

        if (Text(user, name) is not { Length: > 0 } path)
        {
            return null;
        }

        try
        {
            return File.ReadAllText(Beside(file, path));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"The {name} that '{file}' names cannot be read: {unreadable.Message}", isPermanent: true, unreadable);
        }
    }

    private static string Decode(string data, string name, string file)
    {
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(data));
        }
        catch (FormatException)
        {
            throw new SourceException($"{name} in '{file}' is not base64.", isPermanent: true);
        }
    }

    private static YamlMappingNode Load(string path)
    {
        try
        {
            RequireShallow(path);
            using var reader = new StreamReader(path);
            var yaml = new YamlStream();
            yaml.Load(reader);
            return yaml.Documents is [{ RootNode: YamlMappingNode root }, ..] ? root : throw new SourceException($"'{path}' is not a kubeconfig.", isPermanent: true);
        }
        catch (YamlException odd)
        {
            throw new SourceException($"'{path}' is not YAML: line {odd.Start.Line} cannot be understood.", isPermanent: true);
        }
        catch (Exception odd) when (odd is ArgumentException or InvalidOperationException)
        {
            throw new SourceException($"'{path}' is not YAML: {odd.Message}", isPermanent: true);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"The kubeconfig '{path}' cannot be read: {unreadable.Message}", isPermanent: true, unreadable);
        }
    }

    /// <summary>The document is built by a call for each level, so what is nested without end would end the process.</summary>
    private static void RequireShallow(string path)
    {
        using var reader = new StreamReader(path);
        var parser = new Parser(reader);
        for (var depth = 0; parser.MoveNext();)
        {
            depth += parser.Current?.NestingIncrease ?? 0;
            if (depth > DeepestNesting)
            {
                throw new SourceException($"'{path}' is not a kubeconfig: it is nested deeper than {DeepestNesting} levels.", isPermanent: true);
            }
        }
    }

    private static (YamlMappingNode Found, string File) Find(List<(string Path, YamlMappingNode Root)> files, string list, string kind, string name, string where)
    {
        foreach (var (path, root) in files)
        {
            if (Items(root, list).OfType<YamlMappingNode>().FirstOrDefault(i => Text(i, "name") == name) is { } entry)
            {
                return (Map(entry, kind) ?? [], path);
            }
        }

        var known = files.SelectMany(f => Items(f.Root, list)).OfType<YamlMappingNode>().Select(i => Text(i, "name"));
        throw new SourceException($"There is no {kind} '{name}' in '{where}'. Those there are: {string.Join(", ", known)}.", isPermanent: true);
    }

    private static string Require(YamlMappingNode map, string name, string of, string file) =>
        Text(map, name) is { Length: > 0 } text ? text : throw new SourceException($"'{file}' names no {name} for {of}.", isPermanent: true);

    private static string Beside(string file, string path) => path.Contains('\0', StringComparison.Ordinal)
        ? throw new SourceException($"'{file}' names a path with a zero byte in it.", isPermanent: true)
        : Path.GetFullPath(path, Path.GetDirectoryName(Path.GetFullPath(file))!);

    private static YamlNode? Child(YamlMappingNode map, string name) => map.Children.FirstOrDefault(c => c.Key is YamlScalarNode key && key.Value == name).Value;

    private static string? Text(YamlMappingNode map, string name) => Child(map, name) is YamlScalarNode { Value: var value } && value is not ("null" or "~") ? value : null;

    private static YamlMappingNode? Map(YamlMappingNode map, string name) => Child(map, name) as YamlMappingNode;

    private static IEnumerable<YamlNode> Items(YamlMappingNode map, string name) => (Child(map, name) as YamlSequenceNode)?.Children ?? [];
}
