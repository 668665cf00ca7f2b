using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>The API server refused, in its own words.</summary>
internal sealed class ApiException(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code { get; } = code;

    /// <summary><c>Forbidden</c>, <c>AlreadyExists</c>; empty when the server gave none.</summary>
    public string Reason { get; } = reason;

    /// <summary>Field by field, where the server says so.</summary>
    public IReadOnlyList<(string Reason, string Field, string Message)> Causes { get; } =
        [.. (details?["causes"] as JsonArray ?? []).OfType<JsonObject>().Select(c => (Word(c, "reason"), Word(c, "field"), Word(c, "message")))];

    /// <summary>For a list that expired: where it can be gone on with, no longer consistent.</summary>
    public string? Continue { get; init; }

    public bool IsNotFound => Code == 404;

    public bool IsForbidden => Code is 401 or 403 && !IsTerminating && !IsQuota;

    public bool IsExpired => Code == 410;

    public bool AlreadyExists => Code == 409 && Reason == "AlreadyExists";

    /// <summary>The namespace is on its way out: nothing new can come into it.</summary>
    public bool IsTerminating => Causes.Any(c => c.Reason == "NamespaceTerminating");

    public bool IsQuota => Code == 403 && Message.Contains("exceeded quota", StringComparison.Ordinal);

    /// <summary>A field would have to change that cannot.</summary>
    public bool IsImmutable => Code == 422 && Message.Contains("immutable", StringComparison.Ordinal)
        || Code == 422 && (Message.Contains("updates to statefulset spec", StringComparison.Ordinal) || Message.Contains("cannot change roleRef", StringComparison.Ordinal));

    /// <summary>Fields that another manager owns.</summary>
    public bool IsFieldConflict => Code == 409 && Causes.Any(c => c.Reason == "FieldManagerConflict");

    /// <summary>May well succeed a moment later, when what it depends on is there.</summary>
    public bool IsPassing => Code is 429 or 502 or 503 or 504
        || (Code == 500 && !Message.Contains("resourceVersion should not be set", StringComparison.Ordinal))
        || IsQuota
        || (Code == 409 && Message.Contains("being deleted", StringComparison.Ordinal));

    /// <summary>Reads what a server answered in place of an object.</summary>
    public static ApiException Of(int code, ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonNode.Parse(body, documentOptions: JsonPaths.Strict) is JsonObject status && Word(status, "kind") == "Status")
            {
                return new ApiException(code, Word(status, "reason"), Word(status, "message"), status["details"] as JsonObject)
                {
                    Continue = (status["metadata"] as JsonObject)?["continue"]?.GetValue<string>(),
                };
            }
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException)
        {
            // A proxy's page, or plain text: its beginning has to do.
        }

        var text = System.Text.Encoding.UTF8.GetString(body[..Math.Min(body.Length, 200)]).Trim();
        return new ApiException(code, "", text.Length > 0 ? text : $"HTTP status {code}");
    }

    private static string Word(JsonObject value, string name) =>
        value[name] is { } field && field.GetValueKind() == JsonValueKind.String ? field.GetValue<string>() : "";
}
