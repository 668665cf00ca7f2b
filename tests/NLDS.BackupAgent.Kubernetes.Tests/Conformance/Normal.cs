using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Kubernetes.Tests.Conformance;

/// <summary>Takes out of an answer what depends on the moment and on chance.</summary>
internal static class Normal
{
    private static readonly string[] OfTheMoment = ["uid", "creationTimestamp", "time", "deletionTimestamp", "lastTransitionTime"];

    public static void Document(JsonNode? value)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var name in OfTheMoment.Where(map.ContainsKey))
                {
                    map.Remove(name);
                }

                // Who owns a field is compared where the double computes it (conflicts); the markers of empty maps are not.
                map.Remove("managedFields");
                map.Remove("storageVersionHash");
                map.Remove("shortNames");
                map.Remove("categories");
                foreach (var (_, child) in map.ToList())
                {
                    Document(child);
                }

                break;
            case JsonArray list:
                foreach (var item in list)
                {
                    Document(item);
                }

                break;
        }
    }
}
