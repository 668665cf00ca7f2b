using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Kubernetes;

/// <summary>The first place where two answers differ, in words.</summary>
public static class Difference
{
    public static string? Find(JsonNode? real, JsonNode? ours, string path = "")
    {
        switch (real, ours)
        {
            case (JsonObject a, JsonObject b):
                foreach (var name in a.Select(f => f.Key).Union(b.Select(f => f.Key)))
                {
                    if (!a.ContainsKey(name) || !b.ContainsKey(name))
                    {
                        return $"{path}.{name} is only in {(a.ContainsKey(name) ? "the real answer" : "ours")}: {Short(a[name] ?? b[name])}";
                    }

                    if (Find(a[name], b[name], $"{path}.{name}") is { } deeper)
                    {
                        return deeper;
                    }
                }

                return null;
            case (JsonArray a, JsonArray b):
                if (a.Count != b.Count)
                {
                    return $"{path} has {b.Count} items instead of {a.Count}";
                }

                return Enumerable.Range(0, a.Count).Select(i => Find(a[i], b[i], $"{path}[{i}]")).FirstOrDefault(d => d is not null);
            default:
                return JsonNode.DeepEquals(real, ours) ? null : $"{path} is {Short(ours)} instead of {Short(real)}";
        }
    }

    private static string Short(JsonNode? value) => value?.ToJsonString() is { } text ? text[..Math.Min(300, text.Length)] : "null";
}
