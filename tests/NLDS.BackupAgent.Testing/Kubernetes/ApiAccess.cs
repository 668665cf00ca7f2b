using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>Who asks.</summary>
public sealed record ApiUser(string Name, string? Uid, IReadOnlyList<string> Groups)
{
    internal static ApiUser Anonymous { get; } = new("system:anonymous", null, ["system:unauthenticated"]);

    internal bool IsMaster => Groups.Contains("system:masters");

    /// <summary>The account of a pod, with the groups that every one has.</summary>
    public static ApiUser ServiceAccount(string ns, string name) =>
        new($"system:serviceaccount:{ns}:{name}", null, ["system:serviceaccounts", $"system:serviceaccounts:{ns}", "system:authenticated"]);
}

/// <summary>RBAC: the roles and bindings that are stored decide, and the few that every cluster has.</summary>
internal sealed class ApiAccess(ApiObjects objects)
{
    private static readonly string[] ForAll = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

    private static readonly string[] ForAuthenticated =
        ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"];

    private static readonly JsonArray Basic = JsonNode.Parse(
        """
        [{"verbs":["create"],"apiGroups":["authorization.k8s.io"],"resources":["selfsubjectaccessreviews","selfsubjectrulesreviews"]},
         {"verbs":["create"],"apiGroups":["authentication.k8s.io"],"resources":["selfsubjectreviews"]}]
        """)!.AsArray();

    public bool AllowsPath(ApiUser user, string verb, string path) =>
        user.IsMaster
        || (verb == "get" && (user.Groups.Contains("system:authenticated") ? ForAuthenticated : ForAll).Any(p => Matches(p, path)))
        || RulesOf(user, null).Any(r => Has(r, "nonResourceURLs", p => Matches(p, path)) && Has(r, "verbs", v => v is "*" || v == verb));

    public bool Allows(ApiUser user, string verb, string group, string resource, string? ns, string? name) =>
        user.IsMaster || RulesOf(user, ns).Any(rule =>
            Has(rule, "verbs", v => v == "*" || v == verb)
            && Has(rule, "apiGroups", g => g == "*" || g == group)
            && Has(rule, "resources", r => r == "*" || r == resource || (r.StartsWith("*/", StringComparison.Ordinal) && resource.EndsWith(r[1..], StringComparison.Ordinal)))
            && (rule["resourceNames"] is not JsonArray { Count: > 0 } || (name is not null && Has(rule, "resourceNames", n => n == name))));

    /// <summary>What a SelfSubjectRulesReview tells.</summary>
    public (JsonArray Resources, JsonArray Paths) Describe(ApiUser user, string ns)
    {
        var rules = RulesOf(user, ns).ToList();
        return (
            new JsonArray([.. rules.Where(r => r.ContainsKey("resources")).Select(r => r.DeepClone())]),
            new JsonArray([
                new JsonObject { ["verbs"] = new JsonArray("get"), ["nonResourceURLs"] = Strings(ForAll) },
                new JsonObject { ["verbs"] = new JsonArray("get"), ["nonResourceURLs"] = Strings(ForAuthenticated) },
                .. rules.Where(r => r.ContainsKey("nonResourceURLs")).Select(r => r.DeepClone()),
            ]));
    }

    /// <summary>A role may only be given by who has all that it gives, or may escalate.</summary>
    public string? RefuseEscalation(ApiUser user, ApiKind kind, JsonObject value, string? ns)
    {
        if (user.IsMaster || kind.Group != "rbac.authorization.k8s.io" || (kind.Plural is "roles" or "clusterroles" && Allows(user, "escalate", kind.Group, kind.Plural, ns, Name(value))))
        {
            return null;
        }

        IEnumerable<JsonObject> given;
        if (value["roleRef"] is JsonObject reference)
        {
            var role = reference["kind"]!.GetValue<string>() == "Role" ? "roles" : "clusterroles";
            if (Allows(user, "bind", kind.Group, role, ns, reference["name"]!.GetValue<string>()))
            {
                return null;
            }

            given = RulesOf(reference, ns);
        }
        else
        {
            given = Rules(value);
        }

        var missing = given.Where(rule => !Covers(user, rule, ns)).ToList();
        return missing.Count == 0
            ? null
            : $"user \"{user.Name}\" (groups=[{string.Join(" ", user.Groups.Select(g => $"\"{g}\""))}]) is attempting to grant RBAC permissions not currently held:\n"
                + string.Join("\n", missing.Select(r => "{" + string.Join(", ", r.Select(f => $"{f.Key}:{f.Value!.ToJsonString()}")) + "}"));
    }

    private bool Covers(ApiUser user, JsonObject rule, string? ns) =>
        All(rule, "verbs").All(verb => All(rule, "apiGroups").All(group => All(rule, "resources").All(resource => Allows(user, verb, group, resource, ns, null))));

    private IEnumerable<JsonObject> RulesOf(ApiUser user, string? ns)
    {
        if (user.Groups.Contains("system:authenticated"))
        {
            foreach (var rule in Basic)
            {
                yield return rule!.AsObject();
            }
        }

        var bindings = objects.List("clusterrolebindings.rbac.authorization.k8s.io", null).Select(b => (b.Value, Namespace: (string?)null))
            .Concat(ns is null ? [] : objects.List("rolebindings.rbac.authorization.k8s.io", ns).Select(b => (b.Value, Namespace: (string?)ns)));
        foreach (var (binding, place) in bindings.Where(b => (b.Value["subjects"]?.AsArray() ?? []).Any(s => Is(s!.AsObject(), user))))
        {
            foreach (var rule in RulesOf(binding["roleRef"]!.AsObject(), place))
            {
                yield return rule;
            }
        }
    }

    private IEnumerable<JsonObject> RulesOf(JsonObject reference, string? ns)
    {
        var (kind, name) = (reference["kind"]!.GetValue<string>(), reference["name"]!.GetValue<string>());
        var role = kind == "Role" ? objects.Get("roles.rbac.authorization.k8s.io", ns, name) : objects.Get("clusterroles.rbac.authorization.k8s.io", null, name);
        return role is null ? [] : Rules(role);
    }

    private static IEnumerable<JsonObject> Rules(JsonObject role) => (role["rules"] as JsonArray ?? []).Select(r => r!.AsObject());

    private static bool Is(JsonObject subject, ApiUser user) => subject["kind"]!.GetValue<string>() switch
    {
        "User" => Name(subject) == user.Name,
        "Group" => user.Groups.Contains(Name(subject)),
        _ => user.Name == $"system:serviceaccount:{subject["namespace"]}:{Name(subject)}",
    };

    private static string Name(JsonObject value) => (value["name"] ?? value["metadata"]?["name"])?.GetValue<string>() ?? "";

    private static IEnumerable<string> All(JsonObject rule, string field) => (rule[field] as JsonArray ?? []).Select(v => v!.GetValue<string>());

    private static bool Has(JsonObject rule, string field, Func<string, bool> matches) => All(rule, field).Any(matches);

    private static bool Matches(string pattern, string path) =>
        pattern == "*" || pattern == path || (pattern.EndsWith('*') && path.StartsWith(pattern[..^1], StringComparison.Ordinal));

    private static JsonArray Strings(IEnumerable<string> all) => [.. all.Select(s => (JsonNode)s)];
}
