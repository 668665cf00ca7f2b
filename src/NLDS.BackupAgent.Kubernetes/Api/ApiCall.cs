using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>One request to an API server.</summary>
internal sealed record ApiCall(HttpMethod Method, string Path)
{
    public JsonNode? Body { get; init; }

    public string ContentType { get; init; } = "application/json";

    public string Accept { get; init; } = "application/json";

    /// <summary>Sees the answer of success with its headers.</summary>
    public Action<HttpResponseMessage>? Answered { get; init; }

    /// <summary>An answer of failure is believed at once: a group whose own server is down stays down for longer than anybody waits.</summary>
    public bool FailsFast { get; init; }

    /// <summary>Whether doing it twice does it once. A create that was answered with nothing may have been done; the second then says so (409).</summary>
    public bool IsRepeatable => Method != HttpMethod.Delete || Body is not null;
}

[JsonSerializable(typeof(JsonNode))]
internal sealed partial class ApiJson : JsonSerializerContext;
