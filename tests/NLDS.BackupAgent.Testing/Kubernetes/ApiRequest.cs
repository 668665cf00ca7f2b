using Microsoft.AspNetCore.Http;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>A request for objects, taken apart.</summary>
internal sealed record ApiRequest(HttpContext Context, ApiUser User, ApiKind Kind, string? Namespace, string? Name, string? Subresource, string Body)
{
    public string Method => Context.Request.Method;

    public bool IsDryRun => Query("dryRun") == "All";

    public string Manager => Query("fieldManager") ?? (Context.Request.Headers.UserAgent.ToString().Split('/')[0] is { Length: > 0 } agent ? agent : "unknown");

    public string? Query(string name) => Context.Request.Query.TryGetValue(name, out var value) ? value.ToString() : null;

    /// <summary>The word that RBAC has for it.</summary>
    public string Verb => Method switch
    {
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => Name is null ? "deletecollection" : "delete",
        _ => Query("watch") is "1" or "true" ? "watch" : Name is null ? "list" : "get",
    };

    /// <summary>With its part, as RBAC has it: <c>deployments/scale</c>.</summary>
    public string Resource => Subresource is null ? Kind.Plural : $"{Kind.Plural}/{Subresource}";
}
