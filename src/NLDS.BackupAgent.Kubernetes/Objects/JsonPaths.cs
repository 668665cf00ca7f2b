using System.Text.Json;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Kubernetes.Objects;

/// <summary>Steps through objects of which little is known: what is not there, or of another kind, is null.</summary>
internal static class JsonPaths
{
    /// <summary>A member that is there twice is no JSON of any server's; the library would fail at it later, wherever the object is first looked into.</summary>
    public static JsonDocumentOptions Strict { get; } = new() { AllowDuplicateProperties = false };

    public static JsonNode? At(this JsonNode? value, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            value = (value as JsonObject)?[name];
        }

        return value;
    }

    public static string? Text(this JsonNode? value, params ReadOnlySpan<string> path) =>
        value.At(path) is JsonValue found && found.GetValueKind() == JsonValueKind.String ? found.GetValue<string>() : null;

    public static IEnumerable<JsonObject> Items(this JsonNode? value, params ReadOnlySpan<string> path) => (value.At(path) as JsonArray ?? []).OfType<JsonObject>().ToList();

    public static void Drop(this JsonNode? value, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            (value as JsonObject)?.Remove(name);
        }
    }

    /// <summary>Takes a field away when nothing is left in it.</summary>
    public static void DropEmpty(this JsonObject value, string name)
    {
        if (value[name] is JsonObject { Count: 0 } or JsonArray { Count: 0 } or null)
        {
            value.Remove(name);
        }
    }

    public static string Name(this JsonObject value) => value.Text("metadata", "name") ?? "";

    public static string? Namespace(this JsonObject value) => value.Text("metadata", "namespace");

    public static bool IsTrue(this JsonNode? value, params ReadOnlySpan<string> path) => value.At(path) is JsonValue found && found.GetValueKind() == JsonValueKind.True;
}
