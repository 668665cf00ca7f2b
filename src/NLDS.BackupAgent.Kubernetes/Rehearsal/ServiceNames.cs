using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>
/// Texts that name a service by its namespace (<c>postgres.nlds.svc</c>) name the copy's: in a drill whoever uses a copy must not look for the original. Pure.
/// </summary>
internal static class ServiceNames
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static void Move(JsonObject value, string from, string to)
    {
        var (old, next) = ($".{from}.svc", $".{to}.svc");
        if (value["kind"]?.ToString() == "Secret" && value["data"] is JsonObject data)
        {
            foreach (var (name, encoded) in data.ToList())
            {
                if (Decode(encoded) is { } text && text.Contains(old, StringComparison.Ordinal))
                {
                    data[name] = Convert.ToBase64String(Strict.GetBytes(text.Replace(old, next, StringComparison.Ordinal)));
                }
            }
        }

        foreach (var (name, field) in value.Where(field => field.Key != "metadata").ToList())
        {
            Move(field, old, next, moved => value[name] = moved);
        }
    }

    private static void Move(JsonNode? value, string old, string next, Action<JsonNode> put)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var (name, field) in map.ToList())
                {
                    Move(field, old, next, moved => map[name] = moved);
                }

                break;
            case JsonArray list:
                for (var index = 0; index < list.Count; index++)
                {
                    var at = index;
                    Move(list[at], old, next, moved => list[at] = moved);
                }

                break;
            case JsonValue leaf when leaf.GetValueKind() == JsonValueKind.String && leaf.GetValue<string>() is var text && text.Contains(old, StringComparison.Ordinal):
                put(JsonValue.Create(text.Replace(old, next, StringComparison.Ordinal)));
                break;
        }
    }

    /// <returns>Null for what is no text.</returns>
    private static string? Decode(JsonNode? encoded)
    {
        try
        {
            return encoded is null ? null : Strict.GetString(Convert.FromBase64String(encoded.ToString()));
        }
        catch (Exception binary) when (binary is FormatException or DecoderFallbackException)
        {
            return null;
        }
    }
}
