using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>Lists, whole and in pages, single objects, and the forms that they are asked for in.</summary>
internal sealed class ApiReads(ApiObjects objects)
{
    private const string TooOld = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the "
        + "continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        + "modified, or deleted between the time the first chunk was returned and now may show up in the list.";

    public JsonObject Get(ApiRequest request)
    {
        var found = Require(request);
        return request.Subresource == "scale" ? Scale(found) : As(request.Kind, found);
    }

    public JsonObject Require(ApiRequest request) =>
        objects.Get(request.Kind.Storage, request.Namespace, request.Name!)?.DeepClone().AsObject() ?? throw ApiStatus.NotFound(request.Kind, request.Name!);

    public static JsonObject Scale(JsonObject found)
    {
        var metadata = new JsonObject();
        foreach (var field in new[] { "name", "namespace", "uid", "resourceVersion", "creationTimestamp" })
        {
            metadata[field] = found["metadata"]![field]?.DeepClone();
        }

        var status = new JsonObject { ["replicas"] = found["status"]?["replicas"]?.DeepClone() ?? 0 };
        if (found["spec"]?["selector"]?["matchLabels"] is JsonObject labels)
        {
            status["selector"] = string.Join(",", labels.Select(l => $"{l.Key}={l.Value}"));
        }

        return new JsonObject
        {
            ["kind"] = "Scale",
            ["apiVersion"] = "autoscaling/v1",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["replicas"] = found["spec"]?["replicas"]?.DeepClone() ?? 0 },
            ["status"] = status,
        };
    }

    public JsonObject List(ApiRequest request)
    {
        var (revision, after) = (objects.Revision, "");
        long? snapshot = null;
        if (request.Query("continue") is { Length: > 0 } token)
        {
            var (from, start) = ReadToken(token);
            after = start;
            if (from > 0 && from < objects.Compacted)
            {
                throw new ApiStatus(410, "Expired", TooOld) { Continue = Token(-1, start) };
            }

            snapshot = from > 0 ? from : null;
            revision = snapshot ?? revision;
        }
        else if (request.Query("resourceVersion") is { Length: > 0 } wanted && wanted != "0")
        {
            var at = long.Parse(wanted, CultureInfo.InvariantCulture);
            if (at > objects.Revision)
            {
                throw new ApiStatus(504, "Timeout", $"Timeout: Too large resource version: {at}, current: {objects.Revision}", new JsonObject
                {
                    ["causes"] = new JsonArray(new JsonObject { ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version" }),
                    ["retryAfterSeconds"] = 1,
                })
                { RetryAfter = 1 };
            }

            if (request.Query("resourceVersionMatch") == "Exact")
            {
                snapshot = at >= objects.Compacted ? at : throw new ApiStatus(410, "Expired", "The resourceVersion for the provided list is too old.");
                revision = at;
            }
        }

        var prefix = request.Namespace is null ? "" : request.Namespace + "/";
        var all = objects.List(request.Kind.Storage, request.Namespace, snapshot)
            .Where(o => string.CompareOrdinal(o.Key[prefix.Length..], after) >= 0 && Matches(request, o.Value))
            .ToList();
        var limit = int.TryParse(request.Query("limit"), CultureInfo.InvariantCulture, out var some) && some > 0 ? some : int.MaxValue;
        var metadata = new JsonObject { ["resourceVersion"] = revision.ToString(CultureInfo.InvariantCulture) };
        if (all.Count > limit)
        {
            // The recorded server writes a slash before the first page's token and none before the later ones'.
            var last = all[limit - 1].Key[prefix.Length..];
            metadata["continue"] = Token(revision, (after.Length == 0 ? "/" : "") + last + "\0");
            if (request.Query("labelSelector") is null && request.Query("fieldSelector") is null)
            {
                metadata["remainingItemCount"] = all.Count - limit;
            }
        }

        if (request.Kind.IsCustom)
        {
            metadata["continue"] ??= "";
        }

        return new JsonObject
        {
            ["kind"] = request.Kind.Kind + "List",
            ["apiVersion"] = request.Kind.GroupVersion,
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. all.Take(limit).Select(o => Item(request.Kind, o.Value))]),
        };
    }

    /// <summary>As its kind's version and, outside of a list, with its kind.</summary>
    public static JsonObject As(ApiKind kind, JsonObject value)
    {
        var copy = new JsonObject { ["kind"] = kind.Kind, ["apiVersion"] = kind.GroupVersion };
        foreach (var (name, field) in value.Where(f => f.Key is not ("kind" or "apiVersion")))
        {
            copy[name] = field?.DeepClone();
        }

        return copy;
    }

    public static JsonObject Table(JsonObject list) => new()
    {
        ["kind"] = "Table",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = list["metadata"]!.DeepClone(),
        ["columnDefinitions"] = new JsonArray(new JsonObject { ["name"] = "Name", ["type"] = "string", ["format"] = "name" }),
        ["rows"] = new JsonArray([.. list["items"]!.AsArray().Select(i => new JsonObject
        {
            ["cells"] = new JsonArray(i!["metadata"]!["name"]!.DeepClone()), ["object"] = OnlyMetadata(i.AsObject()),
        })]),
    };

    public static JsonObject MetadataOnly(JsonObject list) => new()
    {
        ["kind"] = "PartialObjectMetadataList",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = list["metadata"]!.DeepClone(),
        ["items"] = new JsonArray([.. list["items"]!.AsArray().Select(i => OnlyMetadata(i!.AsObject()))]),
    };

    public static bool Matches(ApiRequest request, JsonObject value) =>
        MatchesLabels(request.Query("labelSelector"), value) && MatchesFields(request.Query("fieldSelector"), value);

    private static JsonObject OnlyMetadata(JsonObject value) =>
        new() { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = value["metadata"]!.DeepClone() };

    private static JsonObject Item(ApiKind kind, JsonObject value)
    {
        var item = As(kind, value);
        if (!kind.IsCustom)
        {
            item.Remove("kind");
            item.Remove("apiVersion");
        }

        return item;
    }

    private static bool MatchesLabels(string? selector, JsonObject value) => (selector ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).All(term =>
    {
        var parts = term.Split(["!=", "==", "="], 2, StringSplitOptions.None);
        var label = value["metadata"]!["labels"]?[parts[0].TrimStart('!')]?.GetValue<string>();
        return parts.Length == 1
            ? term.StartsWith('!') == (label is null)
            : term.Contains("!=", StringComparison.Ordinal) ? label != parts[1] : label == parts[1];
    });

    private static bool MatchesFields(string? selector, JsonObject value) => (selector ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).All(term =>
    {
        var parts = term.Split(["!=", "==", "="], 2, StringSplitOptions.None);
        var field = parts[0].Split('.').Aggregate((JsonNode?)value, (at, name) => at?[name]);
        var text = field?.GetValueKind() == JsonValueKind.String ? field.GetValue<string>() : field?.ToJsonString() ?? "";
        return term.Contains("!=", StringComparison.Ordinal) ? text != parts[1] : text == parts[1];
    });

    private static string Token(long revision, string start) =>
        Convert.ToBase64String(Encoding.UTF8.GetBytes($$"""{"v":"meta.k8s.io/v1","rv":{{revision}},"start":{{JsonSerializer.Serialize(start)}}}""")).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static (long Revision, string Start) ReadToken(string token)
    {
        var padded = token.Replace('-', '+').Replace('_', '/');
        var text = Encoding.Latin1.GetString(Convert.FromBase64String(padded + new string('=', (4 - (padded.Length % 4)) % 4)));
        try
        {
            var parsed = JsonNode.Parse(text)!;
            return (parsed["rv"]!.GetValue<long>(), parsed["start"]!.GetValue<string>().TrimStart('/'));
        }
        catch (JsonException)
        {
            throw ApiStatus.BadRequest($"invalid continue token: continue key is not valid: invalid character '{text[0]}' looking for beginning of value");
        }
    }
}
