using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>A failure as an API server puts it into words.</summary>
internal sealed class ApiStatus(int code, string? reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code { get; } = code;

    public string? Continue { get; init; }

    public int? RetryAfter { get; init; }

    public JsonObject ToDocument()
    {
        var document = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = Continue is null ? new JsonObject() : new JsonObject { ["continue"] = Continue },
            ["status"] = "Failure",
            ["message"] = Message,
        };
        if (reason is not null)
        {
            document["reason"] = reason;
        }

        if (details is not null)
        {
            document["details"] = details.DeepClone();
        }

        document["code"] = Code;
        return document;
    }

    public static ApiStatus BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiStatus Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static ApiStatus NotFound(ApiKind kind, string name) => new(404, "NotFound", $"{kind.Qualified} \"{name}\" not found", Of(kind, name));

    public static ApiStatus NoSuchResource() => new(404, "NotFound", "the server could not find the requested resource", []);

    public static ApiStatus NotAllowed() => new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);

    public static ApiStatus Forbidden(ApiKind kind, string name, string why, JsonArray? causes = null)
    {
        var details = Of(kind, name);
        if (causes is not null)
        {
            details["causes"] = causes;
        }

        return new ApiStatus(403, "Forbidden", $"{kind.Qualified} \"{name}\" is forbidden: {why}", details);
    }

    public static ApiStatus Exists(ApiKind kind, string name) => new(409, "AlreadyExists", $"{kind.Qualified} \"{name}\" already exists", Of(kind, name));

    public static ApiStatus Conflict(ApiKind kind, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {kind.Qualified} \"{name}\": {why}", Of(kind, name));

    /// <param name="causes">Each with its reason, its message, and the field.</param>
    public static ApiStatus Invalid(ApiKind kind, string name, params (string Reason, string Message, string Field)[] causes)
    {
        // A custom resource that is refused by the generic checks is named by its plural, everything else by its kind.
        var words = causes.Select(c => $"{c.Field}: {c.Message}").Distinct().ToList();
        var subject = kind.Group.Length == 0 ? kind.Kind : $"{kind.Kind}.{kind.Group}";
        var details = Of(kind, name);
        details["kind"] = kind.Kind;
        details["causes"] = Causes(causes);
        return new ApiStatus(422, "Invalid", $"{subject} \"{name}\" is invalid: {(words.Count == 1 ? words[0] : $"[{string.Join(", ", words)}]")}", details);
    }

    public static JsonArray Causes(IEnumerable<(string Reason, string Message, string Field)> causes) =>
        [.. causes.Select(c => new JsonObject { ["reason"] = c.Reason, ["message"] = c.Message, ["field"] = c.Field })];

    public static JsonObject Of(ApiKind kind, string? name)
    {
        var details = new JsonObject();
        if (name is { Length: > 0 })
        {
            details["name"] = name;
        }

        if (kind.Group.Length > 0)
        {
            details["group"] = kind.Group;
        }

        details["kind"] = kind.Plural;
        return details;
    }
}
