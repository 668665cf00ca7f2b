using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>Whether an object is already what a backup would make of it.</summary>
internal static class Comparison
{
    /// <summary>Everything that is wanted is there; what the server or others added does not count.</summary>
    public static bool Holds(JsonObject live, JsonObject desired) => desired.All(field => field.Key switch
    {
        "apiVersion" or "kind" => true,
        "metadata" => HoldsMetadata(live["metadata"] as JsonObject ?? [], field.Value as JsonObject ?? []),
        _ => Holds(live[field.Key], field.Value),
    });

    /// <summary>The same but for what the server counts and notes of each write.</summary>
    public static bool IsSame(JsonObject one, JsonObject other) => JsonNode.DeepEquals(Bare(one), Bare(other));

    private static bool HoldsMetadata(JsonObject live, JsonObject desired) => desired.All(field => field.Key switch
    {
        "labels" => (field.Value as JsonObject ?? []).Where(l => l.Key != RestoreItem.Label).All(l => Holds(live.At("labels", l.Key), l.Value)),
        _ => Holds(live[field.Key], field.Value),
    });

    private static bool Holds(JsonNode? live, JsonNode? desired) => (live, desired) switch
    {
        (JsonObject a, JsonObject b) => b.All(field => Holds(a[field.Key], field.Value)),
        (JsonArray a, JsonArray b) => a.Count == b.Count && Enumerable.Range(0, a.Count).All(i => Holds(a[i], b[i])),
        (null, null or JsonObject { Count: 0 } or JsonArray { Count: 0 }) => true,
        (JsonValue a, JsonValue b) when a.GetValueKind() == JsonValueKind.Number && b.GetValueKind() == JsonValueKind.Number => a.ToJsonString() == b.ToJsonString(),
        _ => JsonNode.DeepEquals(live, desired),
    };

    private static JsonObject Bare(JsonObject value)
    {
        var bare = value.DeepClone().AsObject();
        bare["metadata"].Drop("managedFields", "resourceVersion", "generation");
        if (bare.At("metadata", "labels") is JsonObject labels)
        {
            labels.Remove(RestoreItem.Label);
            bare["metadata"]!.AsObject().DropEmpty("labels");
        }

        return bare;
    }
}
