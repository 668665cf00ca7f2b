using System.Globalization;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>One change of one object.</summary>
internal sealed record ApiChange(long Revision, string Type, string Storage, string Key, JsonObject? Before, JsonObject? After);

/// <summary>The objects by what they are and where, with every change since the start: a list can be of an earlier revision, a watch begins at one.</summary>
internal sealed class ApiObjects
{
    private readonly Dictionary<string, SortedDictionary<string, JsonObject>> stored = [];
    private readonly List<ApiChange> history = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Lock Gate { get; } = new();

    /// <summary>Told every change, under the gate.</summary>
    public Action<ApiChange> Changed { get; set; } = _ => { };

    public long Revision { get; set; } = 1;

    /// <summary>What etcd has compacted: no list is consistent at an earlier revision.</summary>
    public long Compacted { get; set; }

    /// <summary>A watch cannot begin before this.</summary>
    public long WatchableFrom { get; set; }

    public static string Key(string? ns, string name) => ns is null ? name : $"{ns}/{name}";

    public JsonObject? Get(string storage, string? ns, string name) =>
        stored.TryGetValue(storage, out var all) && all.TryGetValue(Key(ns, name), out var found) ? found : null;

    /// <summary>In etcd's order.</summary>
    public IReadOnlyList<(string Key, JsonObject Value)> List(string storage, string? ns, long? revision = null)
    {
        var all = new SortedDictionary<string, JsonObject>(stored.GetValueOrDefault(storage) ?? new SortedDictionary<string, JsonObject>(), StringComparer.Ordinal);
        for (var i = history.Count - 1; revision is { } at && i >= 0 && history[i].Revision > at; i--)
        {
            if (history[i] is var change && change.Storage == storage)
            {
                if (change.Before is null)
                {
                    all.Remove(change.Key);
                }
                else
                {
                    all[change.Key] = change.Before;
                }
            }
        }

        return [.. all.Where(o => ns is null || o.Key.StartsWith(ns + "/", StringComparison.Ordinal)).Select(o => (o.Key, o.Value))];
    }

    public IEnumerable<string> Storages => stored.Keys;

    /// <summary>Puts an object as it is, its revision too.</summary>
    public void Seed(string storage, JsonObject value)
    {
        Set(storage, KeyOf(value), value);
        if (long.TryParse(value["metadata"]!["resourceVersion"]?.GetValue<string>(), CultureInfo.InvariantCulture, out var revision))
        {
            Revision = Math.Max(Revision, revision);
        }
    }

    /// <summary>Stores a new state under a new revision.</summary>
    public JsonObject Put(string storage, JsonObject value)
    {
        var key = KeyOf(value);
        var before = stored.GetValueOrDefault(storage)?.GetValueOrDefault(key);
        value["metadata"]!["resourceVersion"] = (++Revision).ToString(CultureInfo.InvariantCulture);

        // As it comes out of etcd: a number is a number, whichever type put it there.
        value = JsonNode.Parse(value.ToJsonString())!.AsObject();
        Set(storage, key, value);
        Tell(new ApiChange(Revision, before is null ? "ADDED" : "MODIFIED", storage, key, before, value));
        return value;
    }

    public void Delete(string storage, JsonObject value)
    {
        var key = KeyOf(value);
        if (stored.TryGetValue(storage, out var all) && all.Remove(key, out var before))
        {
            var gone = before.DeepClone().AsObject();
            gone["metadata"]!["resourceVersion"] = (++Revision).ToString(CultureInfo.InvariantCulture);
            Tell(new ApiChange(Revision, "DELETED", storage, key, before, gone));
        }
    }

    public IReadOnlyList<ApiChange> Since(long revision) => [.. history.Where(change => change.Revision > revision)];

    /// <summary>Completes with the next change.</summary>
    public Task ChangedAsync()
    {
        lock (Gate)
        {
            return changed.Task;
        }
    }

    private void Tell(ApiChange change)
    {
        history.Add(change);
        var told = changed;
        changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        told.SetResult();
        Changed(change);
    }

    private void Set(string storage, string key, JsonObject value)
    {
        if (!stored.TryGetValue(storage, out var all))
        {
            stored.Add(storage, all = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal));
        }

        all[key] = value;
    }

    private static string KeyOf(JsonObject value) => Key(value["metadata"]!["namespace"]?.GetValue<string>(), value["metadata"]!["name"]!.GetValue<string>());
}
