using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>
/// Which fields an object has, by path, in the elements of FieldsV1: <c>f:spec</c>, <c>k:{"name":"api"}</c>, <c>v:"x"</c>. Only leaves are told of: that is what
/// managers own and quarrel about.
/// </summary>
internal static class FieldPaths
{
    /// <summary>Lists whose items have an identity of their own, by the field that they stand in. All other lists are one value.</summary>
    private static readonly Dictionary<string, string[]> Keys = new()
    {
        ["containers"] = ["name"],
        ["initContainers"] = ["name"],
        ["env"] = ["name"],
        ["volumes"] = ["name"],
        ["volumeMounts"] = ["mountPath"],
        ["conditions"] = ["type"],
        ["imagePullSecrets"] = ["name"],
        ["secrets"] = ["name"],
        ["ownerReferences"] = ["uid"],
        ["ports"] = ["port", "containerPort", "protocol"],
    };

    private static readonly string[] Atomic = ["selector", "nodeSelector", "labelSelector", "podSelector", "nodeAffinity", "claimRef", "roleRef"];

    /// <summary>Nobody owns these.</summary>
    private static readonly string[] Unowned =
        ["apiVersion", "kind"];

    private static readonly string[] UnownedMetadata =
        ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"];

    public static Dictionary<string, JsonNode?> Leaves(JsonObject value)
    {
        var found = new Dictionary<string, JsonNode?>();
        foreach (var (name, child) in value.Where(field => !Unowned.Contains(field.Key)))
        {
            if (name == "metadata" && child is JsonObject metadata)
            {
                foreach (var (inner, innerChild) in metadata.Where(field => !UnownedMetadata.Contains(field.Key)))
                {
                    Walk($"f:metadata\u001ff:{inner}", inner, innerChild, found);
                }
            }
            else
            {
                Walk($"f:{name}", name, child, found);
            }
        }

        return found;
    }

    public static JsonObject ToFields(IEnumerable<string> paths)
    {
        var root = new JsonObject();
        foreach (var path in paths.Order(StringComparer.Ordinal))
        {
            var at = root;
            foreach (var element in path.Split('\u001f'))
            {
                if (at[element] is not JsonObject next)
                {
                    at[element] = next = [];
                }

                at = next;
            }
        }

        return root;
    }

    public static IEnumerable<string> FromFields(JsonObject fields, string prefix = "")
    {
        foreach (var (element, child) in fields.Where(field => field.Key != "."))
        {
            var path = prefix.Length == 0 ? element : $"{prefix}\u001f{element}";
            var inner = child!.AsObject();
            if (!inner.Any(field => field.Key != "."))
            {
                yield return path;
            }

            foreach (var deeper in FromFields(inner, path))
            {
                yield return deeper;
            }
        }
    }

    /// <summary>As a conflict names it: <c>.spec.template.spec.containers[name="api"].image</c>.</summary>
    public static string Words(string path) => string.Concat(path.Split('\u001f').Select(element => element switch
    {
        ['f', ':', .. var name] => "." + name,
        ['k', ':', .. var key] => "[" + string.Join(",", JsonNode.Parse(key)!.AsObject().Select(part => $"{part.Key}={part.Value!.ToJsonString()}")) + "]",
        ['v', ':', .. var value] => $"[={value}]",
        _ => element,
    }));

    /// <summary>Takes a field away, and what it leaves empty.</summary>
    public static void Remove(JsonObject value, string path) => Remove(value, path.Split('\u001f'), 0);

    /// <summary>The applied object's fields laid over the live one's: maps and lists with keys are merged, the rest replaced.</summary>
    public static void Merge(JsonObject live, JsonObject applied)
    {
        foreach (var (name, child) in applied.Where(field => field.Key is not "managedFields").ToList())
        {
            if (child is JsonObject map && live[name] is JsonObject into && !Atomic.Contains(name))
            {
                Merge(into, map);
            }
            else if (child is JsonArray list && live[name] is JsonArray items && KeyOf(name, list) is not null)
            {
                foreach (var item in list.Select(i => i!.AsObject()))
                {
                    if (items.FirstOrDefault(i => Key(name, i!.AsObject()) == Key(name, item)) is JsonObject same)
                    {
                        Merge(same, item);
                    }
                    else
                    {
                        items.Add(item.DeepClone());
                    }
                }
            }
            else
            {
                live[name] = child?.DeepClone();
            }
        }
    }

    private static void Walk(string path, string name, JsonNode? value, Dictionary<string, JsonNode?> found)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } map when !Atomic.Contains(name):
                foreach (var (inner, child) in map)
                {
                    Walk($"{path}\u001ff:{inner}", inner, child, found);
                }

                break;
            case JsonArray list when name == "finalizers":
                foreach (var item in list)
                {
                    found[$"{path}\u001fv:{item!.ToJsonString()}"] = item;
                }

                break;
            case JsonArray { Count: > 0 } list when KeyOf(name, list) is not null:
                foreach (var item in list.Select(i => i!.AsObject()))
                {
                    foreach (var (inner, child) in item)
                    {
                        Walk($"{path}\u001fk:{Key(name, item)}\u001ff:{inner}", inner, child, found);
                    }
                }

                break;
            default:
                found[path] = value;
                break;
        }
    }

    private static string[]? KeyOf(string name, JsonArray list) =>
        Keys.TryGetValue(name, out var keys) && list.All(i => i is JsonObject item && keys.Any(item.ContainsKey)) ? keys : null;

    private static string Key(string name, JsonObject item) =>
        new JsonObject(Keys[name].Where(item.ContainsKey).Select(key => KeyValuePair.Create(key, item[key]?.DeepClone()))).ToJsonString();

    private static bool Remove(JsonNode? at, string[] path, int depth)
    {
        var (element, isLast) = (path[depth], depth == path.Length - 1);
        switch (element[..2], at)
        {
            case ("f:", JsonObject map):
                var name = element[2..];
                if (isLast || (Remove(map[name], path, depth + 1) && map[name] is JsonObject { Count: 0 } or JsonArray { Count: 0 }))
                {
                    map.Remove(name);
                }

                return true;
            case ("k:", JsonArray list):
                var key = JsonNode.Parse(element[2..])!.AsObject();
                var item = list.FirstOrDefault(i => i is JsonObject o && key.All(part => JsonNode.DeepEquals(o[part.Key], part.Value)));
                if (item is null)
                {
                    return false;
                }

                Remove(item, path, depth + 1);
                if (isLast || item.AsObject().All(part => key.ContainsKey(part.Key)) )
                {
                    list.Remove(item);
                }

                return true;
            case ("v:", JsonArray set):
                if (set.FirstOrDefault(i => i!.ToJsonString() == element[2..]) is { } value)
                {
                    set.Remove(value);
                }

                return true;
            default:
                return false;
        }
    }
}
