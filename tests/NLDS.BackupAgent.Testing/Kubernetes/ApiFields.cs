using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>Who owns which field: server-side apply and its conflicts, and what other writes take over.</summary>
internal static class ApiFields
{
    /// <summary>What becomes of <paramref name="live"/> when a manager applies; null for an object that is not there yet.</summary>
    public static JsonObject Apply(ApiKind kind, JsonObject? live, JsonObject applied, string manager, bool force, string? subresource, string now)
    {
        var wanted = FieldPaths.Leaves(applied);
        var next = live?.DeepClone().AsObject() ?? new JsonObject { ["kind"] = kind.Kind, ["apiVersion"] = kind.GroupVersion, ["metadata"] = new JsonObject() };
        var before = live is null ? [] : FieldPaths.Leaves(live);
        var entries = Entries(next);
        var conflicts = entries
            .Where(e => !IsApply(e, manager, subresource))
            .Select(e => (Entry: e, Paths: Owned(e).Where(p => wanted.TryGetValue(p, out var value) && !JsonNode.DeepEquals(value, before.GetValueOrDefault(p))).ToList()))
            .Where(c => c.Paths.Count > 0)
            .ToList();
        if (conflicts.Count > 0 && !force)
        {
            throw Conflicted([.. conflicts.SelectMany(c => c.Paths.Select(p => (Who(c.Entry), FieldPaths.Words(p))))]);
        }

        foreach (var (entry, paths) in conflicts)
        {
            SetOwned(entry, Owned(entry).Except(paths));
        }

        var own = entries.FirstOrDefault(e => IsApply(e, manager, subresource));
        foreach (var dropped in own is null ? [] : Owned(own).Except(wanted.Keys).ToList())
        {
            if (!entries.Any(e => e != own && Owned(e).Contains(dropped)))
            {
                FieldPaths.Remove(next, dropped);
            }
        }

        FieldPaths.Merge(next, applied);
        if (own is null)
        {
            entries.Add(own = Entry(kind, manager, "Apply", subresource, now));
        }

        SetOwned(own, wanted.Keys);
        entries.RemoveAll(e => !Owned(e).Any() && e != own);
        Store(next, entries);
        return next;
    }

    /// <summary>Every other write: whoever changes a field owns it from then on.</summary>
    public static void Take(ApiKind kind, JsonObject? live, JsonObject next, string manager, string? subresource, string now)
    {
        var before = live is null ? [] : FieldPaths.Leaves(live);
        var after = FieldPaths.Leaves(next);
        var changed = after.Where(f => !before.TryGetValue(f.Key, out var old) || !JsonNode.DeepEquals(old, f.Value)).Select(f => f.Key).ToHashSet();
        var entries = live is null ? [] : Entries(live);
        foreach (var entry in entries)
        {
            var isOwn = Is(entry, "manager", manager) && Is(entry, "operation", "Update") && entry["subresource"]?.GetValue<string>() == subresource;
            SetOwned(entry, Owned(entry).Where(p => after.ContainsKey(p) && (isOwn || !changed.Contains(p))).Concat(isOwn ? changed : []));
        }

        if (changed.Count > 0 && !entries.Any(e => Is(e, "manager", manager) && Is(e, "operation", "Update") && e["subresource"]?.GetValue<string>() == subresource))
        {
            var entry = Entry(kind, manager, "Update", subresource, now);
            SetOwned(entry, changed);
            entries.Add(entry);
        }

        entries.RemoveAll(e => !Owned(e).Any());
        Store(next, entries);
    }

    private static ApiStatus Conflicted(List<(string Who, string Field)> all)
    {
        var causes = ApiStatus.Causes(all.Select(c => ("FieldManagerConflict", $"conflict with {c.Who}", c.Field)));
        var words = all.GroupBy(c => c.Who).Select(c => c.Count() == 1
            ? $"conflict with {c.Key}: {c.First().Field}"
            : $"conflicts with {c.Key}:\n{string.Join("\n", c.Select(f => "- " + f.Field))}");
        return new ApiStatus(
            409,
            "Conflict",
            $"Apply failed with {all.Count} conflict{(all.Count == 1 ? "" : "s")}: {string.Join("\n", words)}",
            new JsonObject { ["causes"] = causes });
    }

    private static string Who(JsonObject entry) =>
        $"\"{entry["manager"]}\"{(Is(entry, "operation", "Apply") ? "" : $" using {entry["apiVersion"]}")}";

    private static JsonObject Entry(ApiKind kind, string manager, string operation, string? subresource, string now)
    {
        var entry = new JsonObject
        {
            ["manager"] = manager, ["operation"] = operation, ["apiVersion"] = kind.GroupVersion, ["time"] = now, ["fieldsType"] = "FieldsV1", ["fieldsV1"] = new JsonObject(),
        };
        if (subresource is not null)
        {
            entry["subresource"] = subresource;
        }

        return entry;
    }

    private static bool IsApply(JsonObject entry, string manager, string? subresource) =>
        Is(entry, "manager", manager) && Is(entry, "operation", "Apply") && entry["subresource"]?.GetValue<string>() == subresource;

    private static bool Is(JsonObject entry, string field, string value) => entry[field]?.GetValue<string>() == value;

    private static IEnumerable<string> Owned(JsonObject entry) => FieldPaths.FromFields(entry["fieldsV1"]!.AsObject());

    private static void SetOwned(JsonObject entry, IEnumerable<string> paths) => entry["fieldsV1"] = FieldPaths.ToFields(paths.ToHashSet());

    private static List<JsonObject> Entries(JsonObject value) =>
        [.. (value["metadata"]?["managedFields"]?.AsArray() ?? []).Select(e => e!.DeepClone().AsObject())];

    private static void Store(JsonObject value, List<JsonObject> entries)
    {
        var metadata = value["metadata"]!.AsObject();
        metadata.Remove("managedFields");
        if (entries.Count > 0)
        {
            metadata["managedFields"] = new JsonArray([.. entries]);
        }
    }
}
