using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>Section <c>Drill:Kubernetes</c>: the scratch namespace.</summary>
public sealed class KubernetesDrillOptions : IValidatableObject
{
    /// <summary>Pods are filled by their own bootstrap, which takes the newest of all.</summary>
    internal static DrillChoice Choice { get; } = new(DrilledBackup.Newest, DrilledMoment.Latest);

    /// <summary>Anywhere: object stores have names, and policies know only networks.</summary>
    private static readonly string[] Anywhere = ["0.0.0.0/0", "::/0"];

    private static readonly int[] Https = [443];

    /// <summary>It is made, and deleted with all that is in it. One of this name that no drill has made is not touched.</summary>
    public string Namespace { get; set; } = "nlds-dr-test";

    /// <summary>By the source's name, where its copy answers, as <c>HOST</c> or <c>HOST:PORT</c>; unset for the original's service in the scratch namespace.</summary>
    public Dictionary<string, string> Servers { get; set; } = [];

    /// <summary>Networks that the servers' pods may reach to read the store; unset for all.</summary>
    public List<string> StoreNetworks { get; set; } = [];

    /// <summary>The store's ports there; 443 unless said.</summary>
    public List<int> StorePorts { get; set; } = [];

    /// <summary>The namespace of the cluster's name servers.</summary>
    public string DnsNamespace { get; set; } = "kube-system";

    /// <summary>Addresses in the scratch namespace that must answer with a success: <c>http://nlds-api.nlds-dr-test.svc/health</c>.</summary>
    public List<string> Urls { get; set; } = [];

    /// <summary>The deletion is waited for so long; what is left then is named.</summary>
    public TimeSpan CleanUpTime { get; set; } = TimeSpan.FromMinutes(5);

    internal IReadOnlyList<string> Networks => StoreNetworks.Count > 0 ? StoreNetworks : Anywhere;

    internal IReadOnlyList<int> Ports => StorePorts.Count > 0 ? StorePorts : Https;

    /// <summary>Where the copy of a source's server answers.</summary>
    /// <param name="source">The source's name.</param>
    /// <param name="original">Where the original is.</param>
    /// <exception cref="UsageException">It is not known, or would be the original itself.</exception>
    internal ServerPlace PlaceOf(string source, ServerPlace original)
    {
        var place = Servers.TryGetValue(source, out var said) ? Parse(said, original.Port)! : Elsewhere(original.Host) is { } host ? original with { Host = host }
            : throw new UsageException(
                $"Where the drill's copy of {source} answers is not known, because '{original.Host}' is no service of Kubernetes. Set Drill:Kubernetes:Servers:{source}, such as {source}.{Namespace}.svc.");
        return place != original ? place : throw new UsageException($"Drill:Kubernetes:Servers:{source} is {place}, which is the original. Write where its copy answers, such as {source}.{Namespace}.svc.");
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (key, name) in new[] { (nameof(Namespace), Namespace), (nameof(DnsNamespace), DnsNamespace) })
        {
            if (name.Length is 0 or > 63 || name.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-') || name[0] == '-' || name[^1] == '-')
            {
                yield return new ValidationResult($"Drill:Kubernetes:{key} is '{name}'. Write a namespace's name: lower-case letters, digits and dashes.");
            }
        }

        if (Namespace == "default" || Namespace.StartsWith("kube-", StringComparison.Ordinal))
        {
            yield return new ValidationResult($"Drill:Kubernetes:Namespace is '{Namespace}', which is the cluster's own. Write the name of one that is made for drills.");
        }

        foreach (var network in StoreNetworks.Where(network => !IPNetwork.TryParse(network, out _)))
        {
            yield return new ValidationResult($"Drill:Kubernetes:StoreNetworks has '{network}'. Write a network such as 10.1.0.0/16.");
        }

        foreach (var port in StorePorts.Where(port => port is < 1 or > 65535))
        {
            yield return new ValidationResult($"Drill:Kubernetes:StorePorts has {port}. Write 1 to 65535.");
        }

        foreach (var (source, place) in Servers.Where(server => Parse(server.Value, 1) is null))
        {
            yield return new ValidationResult($"Drill:Kubernetes:Servers:{source} is '{place}'. Write HOST or HOST:PORT.");
        }

        foreach (var url in Urls.Where(url => !Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https") || parsed.UserInfo.Length > 0))
        {
            yield return new ValidationResult($"Drill:Kubernetes:Urls has '{(url.Contains('@', StringComparison.Ordinal) ? "***" : url)}'. Write an address such as http://nlds-api.{Namespace}.svc/health, without a password.");
        }

        if (CleanUpTime < TimeSpan.FromSeconds(1) || CleanUpTime > TimeSpan.FromHours(1))
        {
            yield return new ValidationResult($"Drill:Kubernetes:CleanUpTime is {CleanUpTime}. Write 00:00:01 to 01:00:00.");
        }
    }

    /// <summary>A service's name, alone or with its namespace (<c>postgres.nlds.svc.cluster.local</c>), as the scratch namespace has it; null for anything else.</summary>
    private string? Elsewhere(string host) => host.Split('.') switch
    {
        _ when IPAddress.TryParse(host, out _) || host.StartsWith('/') || host == "localhost" => null,
        [{ Length: > 0 } service] => $"{service}.{Namespace}.svc",
        [{ Length: > 0 } service, _, "svc", .. var domain] => string.Join('.', (string[])[service, Namespace, "svc", .. domain]),
        _ => null,
    };

    private static ServerPlace? Parse(string text, int port) => text.LastIndexOf(':') switch
    {
        _ when text.Length == 0 || text.Contains('/', StringComparison.Ordinal) => null,
        < 0 => new ServerPlace(text, port),
        > 0 and var colon when int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var said) && said is > 0 and <= 65535 => new ServerPlace(text[..colon].Trim('[', ']'), said),
        _ => null,
    };
}
