using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary>What a stateful set says of the containers of its pods.</summary>
/// <param name="Fills">What fills the volume before the server starts; null when nothing does.</param>
/// <param name="HasAgent">An agent runs beside the server.</param>
internal sealed record PodTemplate(FillingContainer? Fills, bool HasAgent)
{
    /// <summary>The recorded ones name neither, and have both.</summary>
    private static readonly PodTemplate Recorded = new(new FillingContainer(["--if-empty"], []), HasAgent: true);

    public static PodTemplate Read(JsonObject? workload)
    {
        if (workload?["spec"]!["template"]!["spec"]!["initContainers"] is not JsonArray containers)
        {
            return Recorded;
        }

        var fills = containers.FirstOrDefault(container => Words(container!).Contains("--if-empty"));
        return new PodTemplate(
            fills is null ? null : new FillingContainer(
                Words(fills),
                [.. (fills["env"] as JsonArray ?? []).Select(variable => (variable!["name"]!.GetValue<string>().Replace("__", ":", StringComparison.Ordinal), variable["value"]!.GetValue<string>()))]),
            containers.Any(container => Words(container!) is ["run", ..]));
    }

    /// <summary>As the shipped manifests have them.</summary>
    public static void Ship(JsonObject workload) => workload["spec"]!["template"]!["spec"]!["initContainers"] = JsonNode.Parse($$"""
        [
          { "name": "restore", "image": "registry.example.net/nlds-backup:0.1.0", "args": ["restore", "{{workload["metadata"]!["name"]}}", "--if-empty", "--target-directory", "/data"] },
          { "name": "nlds-backup", "image": "registry.example.net/nlds-backup:0.1.0", "restartPolicy": "Always", "args": ["run"] }
        ]
        """);

    private static List<string> Words(JsonNode container) => [.. (container["args"] as JsonArray ?? []).Select(word => word!.GetValue<string>())];
}

/// <summary>A container that fills a volume, by its words and its variables.</summary>
internal sealed record FillingContainer(IReadOnlyList<string> Words, IReadOnlyList<(string Key, string Value)> Environment);
