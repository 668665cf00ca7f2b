using System.Text.Json;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>Checks and completes a custom resource by its definition's schema: what the recorded definitions use of it.</summary>
internal static class ApiSchema
{
    public static JsonObject? Find(ApiObjects objects, ApiKind kind) =>
        objects.Get("customresourcedefinitions.apiextensions.k8s.io", null, kind.Qualified)?["spec"]?["versions"]?.AsArray()
            .FirstOrDefault(v => v!["name"]!.GetValue<string>() == kind.Version)?.AsObject();

    public static void Default(JsonObject schema, JsonObject value)
    {
        foreach (var (name, property) in schema["properties"]?.AsObject() ?? [])
        {
            if (value[name] is null && property!["default"] is { } fallback)
            {
                value[name] = fallback.DeepClone();
            }

            if (value[name] is JsonObject inner)
            {
                Default(property!.AsObject(), inner);
            }
        }
    }

    public static IEnumerable<(string Reason, string Message, string Field)> Check(JsonObject schema, JsonNode? value, JsonNode? old, string field)
    {
        if (schema["enum"] is JsonArray known && !known.Any(k => JsonNode.DeepEquals(k, value)))
        {
            yield return ("FieldValueNotSupported", $"Unsupported value: {value!.ToJsonString()}: supported values: {string.Join(", ", known.Select(k => k!.ToJsonString()))}", field);
        }

        if (schema["type"]?.GetValue<string>() is { } type && value is not null && !IsOf(type, value))
        {
            yield return ("FieldValueTypeInvalid", $"Invalid value: {value.ToJsonString()}: {field} in body must be of type {type}: {Word(value)}", field);
        }

        foreach (var rule in schema["x-kubernetes-validations"]?.AsArray() ?? [])
        {
            if (rule!["rule"]!.GetValue<string>() == "self == oldSelf" && old is not null && !JsonNode.DeepEquals(value, old))
            {
                yield return ("FieldValueInvalid", $"Invalid value: \"{schema["type"]}\": {rule["message"]}", field);
            }
        }

        var faults = new List<(string, string, string)>();
        if (value is JsonObject map)
        {
            foreach (var (name, property) in schema["properties"]?.AsObject() ?? [])
            {
                if (map.ContainsKey(name))
                {
                    faults.AddRange(Check(property!.AsObject(), map[name], old?[name], Join(field, name)));
                }
            }

            faults.AddRange((schema["required"]?.AsArray() ?? []).Select(r => r!.GetValue<string>()).Where(r => !map.ContainsKey(r))
                .Select(r => ("FieldValueRequired", "Required value", Join(field, r))));
        }
        else if (value is JsonArray list && schema["items"] is JsonObject items)
        {
            faults.AddRange(list.SelectMany((item, index) => Check(items, item, null, $"{field}[{index}]")));
        }

        foreach (var fault in faults)
        {
            yield return fault;
        }
    }

    private static string Join(string field, string name) => field.Length == 0 ? name : $"{field}.{name}";

    private static bool IsOf(string type, JsonNode value) => (type, value.GetValueKind()) switch
    {
        ("object", JsonValueKind.Object) or ("array", JsonValueKind.Array) or ("string", JsonValueKind.String) or ("number", JsonValueKind.Number) => true,
        ("integer", JsonValueKind.Number) => true,
        ("boolean", JsonValueKind.True or JsonValueKind.False) => true,
        _ => false,
    };

    private static string Word(JsonNode value) => $"\"{value.GetValueKind().ToString().ToLowerInvariant()}\"";
}
