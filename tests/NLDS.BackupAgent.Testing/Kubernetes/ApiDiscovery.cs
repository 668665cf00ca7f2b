using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>What the server says of its own kinds: the aggregated documents, and the older ones made from them.</summary>
internal sealed class ApiDiscovery(JsonObject core, JsonObject groups)
{
    private readonly Lock gate = new();

    /// <summary>Groups whose own API server does not answer.</summary>
    public HashSet<string> Stale { get; } = [];

    public ApiKind? Find(string group, string version, string plural)
    {
        lock (gate)
        {
            return Kinds(group, version).FirstOrDefault(kind => kind.Plural == plural);
        }
    }

    public bool HasVersion(string group, string version)
    {
        lock (gate)
        {
            return VersionOf(group, version) is not null;
        }
    }

    public IReadOnlyList<ApiKind> All()
    {
        lock (gate)
        {
            return [.. Items(core).Concat(Items(groups)).SelectMany(g => g["versions"]!.AsArray().SelectMany(v => Kinds(NameOf(g), v!["version"]!.GetValue<string>())))];
        }
    }

    /// <summary>A definition of custom resources has come: from now on its kind is served.</summary>
    public void Serve(JsonObject definition)
    {
        lock (gate)
        {
            var spec = definition["spec"]!;
            var group = spec["group"]!.GetValue<string>();
            var names = spec["names"]!;
            foreach (var version in spec["versions"]!.AsArray().Where(v => v!["served"]?.GetValue<bool>() != false))
            {
                var name = version!["name"]!.GetValue<string>();
                if (Kinds(group, name).Any(k => k.Plural == names["plural"]!.GetValue<string>()))
                {
                    continue;
                }

                var entry = Items(groups).FirstOrDefault(g => NameOf(g) == group);
                if (entry is null)
                {
                    groups["items"]!.AsArray().Add(entry = new JsonObject { ["metadata"] = new JsonObject { ["name"] = group }, ["versions"] = new JsonArray() });
                }

                var listed = entry["versions"]!.AsArray().FirstOrDefault(v => v!["version"]!.GetValue<string>() == name);
                if (listed is null)
                {
                    listed = new JsonObject { ["version"] = name, ["resources"] = new JsonArray(), ["freshness"] = "Current" };
                    entry["versions"]!.AsArray().Insert(version["storage"]?.GetValue<bool>() == true ? 0 : entry["versions"]!.AsArray().Count, listed);
                }

                var resource = new JsonObject
                {
                    ["resource"] = names["plural"]!.DeepClone(),
                    ["responseKind"] = new JsonObject { ["group"] = group, ["version"] = name, ["kind"] = names["kind"]!.DeepClone() },
                    ["scope"] = spec["scope"]!.DeepClone(),
                    ["singularResource"] = names["singular"]?.DeepClone() ?? "",
                    ["verbs"] = new JsonArray("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"),
                };
                if (version["subresources"] is JsonObject subresources && subresources.ContainsKey("status"))
                {
                    resource["subresources"] = new JsonArray(new JsonObject { ["subresource"] = "status", ["verbs"] = new JsonArray("get", "patch", "update") });
                }

                listed["resources"]!.AsArray().Add(resource);
            }
        }
    }

    /// <summary>A definition of custom resources is gone, and its kind with it.</summary>
    public void StopServing(JsonObject definition)
    {
        lock (gate)
        {
            var (group, plural) = (definition["spec"]!["group"]!.GetValue<string>(), definition["spec"]!["names"]!["plural"]!.GetValue<string>());
            foreach (var entry in Items(groups).Where(g => NameOf(g) == group).ToList())
            {
                foreach (var version in entry["versions"]!.AsArray().ToList())
                {
                    var resources = version!["resources"]!.AsArray();
                    foreach (var gone in resources.Where(r => r!["resource"]!.GetValue<string>() == plural).ToList())
                    {
                        resources.Remove(gone);
                    }

                    if (resources.Count == 0)
                    {
                        entry["versions"]!.AsArray().Remove(version);
                    }
                }

                if (entry["versions"]!.AsArray().Count == 0)
                {
                    groups["items"]!.AsArray().Remove(entry);
                }
            }
        }
    }

    /// <param name="version">Of the aggregated format; null for the older documents.</param>
    public JsonObject Describe(bool isCore, string? version)
    {
        lock (gate)
        {
            if (version is not null)
            {
                var document = (isCore ? core : groups).DeepClone().AsObject();
                document["apiVersion"] = $"apidiscovery.k8s.io/{version}";
                foreach (var group in Items(document).Where(g => Stale.Contains(NameOf(g))))
                {
                    foreach (var one in group["versions"]!.AsArray())
                    {
                        one!["freshness"] = "Stale";
                        one["resources"] = new JsonArray();
                    }
                }

                return document;
            }

            return isCore
                ? new JsonObject
                {
                    ["kind"] = "APIVersions",
                    ["versions"] = new JsonArray("v1"),
                    ["serverAddressByClientCIDRs"] = new JsonArray(new JsonObject { ["clientCIDR"] = "0.0.0.0/0", ["serverAddress"] = "127.0.0.1:16443" }),
                }
                : new JsonObject { ["kind"] = "APIGroupList", ["apiVersion"] = "v1", ["groups"] = new JsonArray([.. Items(groups).Select(DescribeGroup)]) };
        }
    }

    public JsonObject? DescribeGroup(string name)
    {
        lock (gate)
        {
            if (Items(groups).FirstOrDefault(g => NameOf(g) == name) is not { } group)
            {
                return null;
            }

            var described = DescribeGroup(group);
            described["kind"] = "APIGroup";
            described["apiVersion"] = "v1";
            return described;
        }
    }

    public JsonObject? DescribeVersion(string group, string version)
    {
        lock (gate)
        {
            if (VersionOf(group, version) is not { } found)
            {
                return null;
            }

            var resources = new JsonArray();
            foreach (var resource in found["resources"]!.AsArray().Select(r => r!.AsObject()))
            {
                resources.Add(Legacy(resource, resource["resource"]!.GetValue<string>(), resource["responseKind"]));
                foreach (var sub in resource["subresources"]?.AsArray() ?? [])
                {
                    resources.Add(Legacy(sub!.AsObject(), $"{resource["resource"]}/{sub!["subresource"]}", sub["responseKind"] ?? resource["responseKind"], resource, group));
                }
            }

            var list = new JsonObject { ["kind"] = "APIResourceList" };
            if (group.Length > 0)
            {
                list["apiVersion"] = "v1";
            }

            list["groupVersion"] = group.Length == 0 ? version : $"{group}/{version}";
            list["resources"] = resources;
            return list;
        }
    }

    public static string EntityTag(JsonObject document) => $"\"{Convert.ToHexString(SHA512.HashData(Encoding.UTF8.GetBytes(document.ToJsonString())))}\"";

    private static JsonObject Legacy(JsonObject resource, string name, JsonNode? kind, JsonObject? parent = null, string group = "")
    {
        var legacy = new JsonObject
        {
            ["name"] = name,
            ["singularName"] = parent is null ? resource["singularResource"]?.DeepClone() ?? "" : "",
            ["namespaced"] = (parent ?? resource)["scope"]!.GetValue<string>() == "Namespaced",
            ["kind"] = kind!["kind"]!.GetValue<string>() is { Length: > 0 } word ? word : parent!["responseKind"]!["kind"]!.DeepClone(),
            ["verbs"] = resource["verbs"]!.DeepClone(),
        };
        foreach (var field in parent is null || kind["group"]?.GetValue<string>() is not { Length: > 0 } other || other == group ? [] : new[] { "group", "version" })
        {
            // A part that is of another group than the whole: deployments/scale is of autoscaling.
            legacy[field] = kind[field]!.DeepClone();
        }

        return legacy;
    }

    private static JsonObject DescribeGroup(JsonObject group)
    {
        var versions = group["versions"]!.AsArray().Select(v => new JsonObject
        {
            ["groupVersion"] = $"{NameOf(group)}/{v!["version"]}",
            ["version"] = v["version"]!.DeepClone(),
        }).ToList();
        return new JsonObject { ["name"] = NameOf(group), ["versions"] = new JsonArray([.. versions]), ["preferredVersion"] = versions[0].DeepClone() };
    }

    private JsonObject? VersionOf(string group, string version) =>
        Items(group.Length == 0 ? core : groups).Where(g => NameOf(g) == group)
            .SelectMany(g => g["versions"]!.AsArray())
            .FirstOrDefault(v => v!["version"]!.GetValue<string>() == version)?.AsObject();

    private IEnumerable<ApiKind> Kinds(string group, string version) =>
        (VersionOf(group, version)?["resources"]?.AsArray() ?? []).Select(r => r!.AsObject()).Select(resource => new ApiKind(
            group,
            version,
            resource["resource"]!.GetValue<string>(),
            resource["responseKind"]!["kind"]!.GetValue<string>(),
            resource["scope"]!.GetValue<string>() == "Namespaced",
            resource["verbs"]!.AsArray().Select(v => v!.GetValue<string>()).ToHashSet(),
            resource)
        {
            IsCustom = group.Contains('.', StringComparison.Ordinal) && !group.EndsWith(".k8s.io", StringComparison.Ordinal),
        });

    private static IEnumerable<JsonObject> Items(JsonObject document) => document["items"]!.AsArray().Select(g => g!.AsObject());

    private static string NameOf(JsonObject group) => group["metadata"]?["name"]?.GetValue<string>() ?? "";
}
