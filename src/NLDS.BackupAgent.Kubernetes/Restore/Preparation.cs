using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>
/// From what a backup holds to what is to be made, in its order. Pure: what it needs to know of the cluster it is told.
/// </summary>
/// <param name="hasVolume">Whether the cluster has a volume of this name already.</param>
/// <param name="hasSource">Whether the namespace that the backup is of still exists there.</param>
internal sealed class Preparation(BackupIndex index, string to, string backupId, Func<string, bool> hasVolume, bool hasSource)
{
    private readonly List<RestoreItem> items = [];
    private readonly List<string> notes = [];

    public IReadOnlyList<string> Notes => notes;

    /// <summary>Into a scratch namespace, which is there and holds what is made.</summary>
    public bool IsRehearsal { get; init; }

    public IReadOnlyList<RestoreItem> Run(IReadOnlyDictionary<string, byte[]> objects)
    {
        var kinds = index.Kinds.Select(k => new ApiResource(k.Group, k.Version, k.Plural, k.Kind, k.IsNamespaced, new HashSet<string>()) { HasStatus = k.HasStatus })
            .Append(new ApiResource("", "v1", Kinds.Namespaces, "Namespace", false, new HashSet<string>()) { HasStatus = true })
            .DistinctBy(k => k.Name)
            .ToDictionary(k => k.Name);
        var agents = new AgentContainers(IsRehearsal ? index.Objects.Select(o => Parse(objects[o.Path]) is { } raw ? Templates.Of(o.Kind, raw) : null).OfType<JsonObject>() : []);
        List<(string Reason, string Object)> leftOut = [];
        var volumes = index.Objects.Where(o => o.Kind == Kinds.Volumes).Select(o => o.Name).ToHashSet();
        foreach (var entry in index.Objects)
        {
            if (!kinds.TryGetValue(entry.Kind, out var resource) || Parse(objects[entry.Path]) is not { } raw)
            {
                throw new NotRestorableException($"The backup's index does not go with '{entry.Path}'.");
            }

            if (IsRehearsal && RefuseRehearsal(resource, raw, agents) is { } reason)
            {
                leftOut.Add((reason, $"{resource.Name}/{entry.Name}"));
                continue;
            }

            if (Refuse(resource, raw) is { } why)
            {
                notes.Add($"{resource.Name}/{entry.Name} is not made: {why}");
                continue;
            }

            var transform = new Transform(index.Namespace, to, KeepsVolumes(raw, resource, volumes));
            var desired = transform.Apply(resource, raw, IsRehearsal ? null : notes.Add);
            if (IsRehearsal)
            {
                RehearsalRules.Apply(resource, desired, agents);
                ServiceNames.Move(desired, index.Namespace, to);
            }

            Mark(desired);
            items.Add(new RestoreItem(resource, resource.IsNamespaced ? to : null, desired.Name(), desired));
        }

        if (!IsRehearsal && !items.Any(i => i.Resource.Name == Kinds.Namespaces))
        {
            // Whoever took the backup might not read the namespace itself; a plain one does.
            var plain = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = to } };
            Mark(plain);
            items.Add(new RestoreItem(kinds[Kinds.Namespaces], null, to, plain));
        }

        notes.AddRange(leftOut.GroupBy(left => left.Reason).Select(left => $"Left out, because {left.Key}: {string.Join(", ", left.Select(one => one.Object))}."));
        return [.. items.OrderBy(i => i.Place).ThenBy(i => i.Resource.Name, StringComparer.Ordinal).ThenBy(i => i.Name, StringComparer.Ordinal)];
    }

    private static string? RefuseRehearsal(ApiResource resource, JsonObject raw, AgentContainers agents) =>
        RehearsalRules.Refuse(resource, raw) ?? (Templates.Of(resource.Name, raw) is { } pod && agents.IsOnlyAgent(pod) ? "an agent would write into the original's archive" : null);

    private bool IsElsewhere => index.Namespace != to;

    private string? Refuse(ApiResource resource, JsonObject raw)
    {
        if (Kinds.IsFinishedJob(resource.Name, raw))
        {
            return "it had run to its end, and would run again.";
        }

        if (!IsElsewhere)
        {
            return null;
        }

        return resource.Name switch
        {
            Kinds.Volumes when hasVolume(raw.Name()) => $"the volume is there and belongs to the namespace {index.Namespace}; its claim gets a new one.",
            Kinds.ValidatingWebhooks or Kinds.MutatingWebhooks or Kinds.ApiServices => $"it leads the whole cluster's requests into the namespace {index.Namespace}.",
            Kinds.Ingresses when hasSource => $"the namespace {index.Namespace} serves its hosts: {Hosts(raw)}.",
            Kinds.Ingresses => Note($"{resource.Name}/{raw.Name()} serves the hosts {Hosts(raw)} from now on."),
            _ => null,
        };
    }

    private string? Note(string text)
    {
        notes.Add(text);
        return null;
    }

    /// <summary>Only a claim whose volume certainly comes with it, or waits for it, may ask for that volume: any other would wait for ever.</summary>
    private bool KeepsVolumes(JsonObject raw, ApiResource resource, HashSet<string> volumes) =>
        resource.Name == Kinds.Claims && raw.Text("spec", "volumeName") is { } volume && !IsRehearsal && (IsElsewhere ? volumes.Contains(volume) && !hasVolume(volume) : volumes.Contains(volume) || hasVolume(volume));

    private void Mark(JsonObject value)
    {
        var metadata = value["metadata"]!.AsObject();
        if (metadata["labels"] is not JsonObject labels)
        {
            metadata["labels"] = labels = [];
        }

        labels[RestoreItem.Label] = backupId;
    }

    private static string Hosts(JsonObject ingress) =>
        string.Join(", ", ingress.Items("spec", "rules").Select(r => r.Text("host") ?? "*").Concat(ingress.Items("spec", "tls").SelectMany(t => (t["hosts"] as JsonArray ?? []).Select(h => h!.ToString()))).Distinct());

    private static JsonObject? Parse(byte[] bytes)
    {
        try
        {
            return JsonNode.Parse(bytes, documentOptions: JsonPaths.Strict) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
