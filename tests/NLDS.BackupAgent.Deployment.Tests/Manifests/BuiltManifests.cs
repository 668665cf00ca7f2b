using System.Text.Json.Nodes;
using NLDS.BackupAgent.Testing;
using YamlDotNet.Serialization;

namespace NLDS.BackupAgent.Deployment.Tests.Manifests;

/// <summary>What kubectl makes of a kustomization, object by object.</summary>
internal sealed class BuiltManifests(IReadOnlyList<JsonNode> objects)
{
    public IReadOnlyList<JsonNode> Objects { get; } = objects;

    /// <param name="kustomization">A folder below <c>k8s</c>; behind a plus sign the components that a user's overlay adds to it.</param>
    public static async Task<BuiltManifests> OfAsync(string kustomization)
    {
        var (cancellation, parts) = (TestContext.Current.CancellationToken, kustomization.Split('+'));
        if (parts.Length == 1)
        {
            return new(Parse(await ServerProcess.RunAsync("kubectl", ["kustomize", Path.Combine(Checkout.Root, "k8s", kustomization)], cancellation)));
        }

        // A kustomization is told of folders by relative paths only.
        using var directory = new TemporaryDirectory();
        await ServerProcess.RunAsync("cp", ["-R", Path.Combine(Checkout.Root, "k8s"), directory.Path], cancellation);
        var overlay = Directory.CreateDirectory(directory["k8s/overlays/of-a-user"]).FullName;
        await File.WriteAllTextAsync(
            Path.Combine(overlay, "kustomization.yaml"),
            $"namespace: nlds\nresources: [../../{parts[0]}]\ncomponents: [{string.Join(", ", parts[1..].Select(component => $"../../{component}"))}]\n",
            cancellation);
        return new(Parse(await ServerProcess.RunAsync("kubectl", ["kustomize", overlay], cancellation)));
    }

    public static IReadOnlyList<JsonNode> Parse(string yaml)
    {
        var serializer = new SerializerBuilder().JsonCompatible().Build();
        return [.. yaml.Split("\n---\n").Select(document => new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object?>(document))
            .Where(document => document is not null).Select(document => JsonNode.Parse(serializer.Serialize(document))!)];
    }

    public IEnumerable<JsonNode> OfKind(string kind) => Objects.Where(item => (string?)item["kind"] == kind);

    /// <summary>The pods of the stateful sets: their specification.</summary>
    public IEnumerable<JsonNode> Pods => OfKind("StatefulSet").Select(set => set["spec"]!["template"]!["spec"]!);

    public static IEnumerable<JsonNode> Containers(JsonNode pod) => Each(pod["initContainers"]).Concat(Each(pod["containers"]));

    public static IEnumerable<JsonNode> Each(JsonNode? array) => array is JsonArray items ? items.Select(item => item!) : [];
}
