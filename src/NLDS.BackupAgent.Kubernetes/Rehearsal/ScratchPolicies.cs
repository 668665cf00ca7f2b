using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>
/// What keeps a scratch namespace to itself. Policies only ever add what is let through, so these two are the only ones there. Pure.
/// </summary>
internal static class ScratchPolicies
{
    /// <summary>Where a node's own cache of names answers by default (Kubernetes: NodeLocal DNSCache).</summary>
    private const string NodeLocalDns = "169.254.20.10/32";

    /// <summary>Behind the second OpenShift's name servers listen.</summary>
    private static readonly int[] DnsPorts = [53, 5353];

    /// <summary>Between its pods everything; out, names; in, whoever drills.</summary>
    /// <param name="scratch">Where.</param>
    /// <param name="from">The namespace in which the drill runs; null when it runs outside of the cluster, and then nobody is kept out.</param>
    public static JsonObject Closed(ScratchNamespace scratch, string? from) => Policy(scratch.Name, "nlds-drill", new JsonObject(), new JsonObject
    {
        ["policyTypes"] = new JsonArray("Ingress", "Egress"),
        ["ingress"] = new JsonArray(from is null ? new JsonObject() : new JsonObject { ["from"] = new JsonArray(Here(), Of(from)) }),
        ["egress"] = new JsonArray(
            new JsonObject { ["to"] = new JsonArray(Here()) },
            new JsonObject { ["to"] = new JsonArray(Of(scratch.DnsNamespace), Network(NodeLocalDns)), ["ports"] = Ports(DnsPorts, "UDP", "TCP") }),
    });

    /// <summary>Pods that fill a volume from the store, and no others, reach it.</summary>
    public static JsonObject Store(ScratchNamespace scratch) => Policy(
        scratch.Name,
        "nlds-drill-store",
        new JsonObject { ["matchLabels"] = new JsonObject { [ScratchNamespaces.ReadsStore] = "true" } },
        new JsonObject
        {
            ["policyTypes"] = new JsonArray("Egress"),
            ["egress"] = new JsonArray(new JsonObject { ["to"] = new JsonArray([.. scratch.StoreNetworks.Select(Network)]), ["ports"] = Ports(scratch.StorePorts, "TCP") }),
        });

    private static JsonObject Policy(string ns, string name, JsonObject selector, JsonObject spec)
    {
        spec["podSelector"] = selector;
        return new JsonObject
        {
            ["apiVersion"] = "networking.k8s.io/v1",
            ["kind"] = "NetworkPolicy",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = ns },
            ["spec"] = spec,
        };
    }

    private static JsonObject Here() => new() { ["podSelector"] = new JsonObject() };

    private static JsonObject Of(string ns) => new() { ["namespaceSelector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["kubernetes.io/metadata.name"] = ns } } };

    private static JsonObject Network(string network) => new() { ["ipBlock"] = new JsonObject { ["cidr"] = network } };

    private static JsonArray Ports(IEnumerable<int> ports, params string[] protocols) =>
        [.. ports.SelectMany(port => protocols.Select(protocol => (JsonNode)new JsonObject { ["port"] = port, ["protocol"] = protocol }))];
}
