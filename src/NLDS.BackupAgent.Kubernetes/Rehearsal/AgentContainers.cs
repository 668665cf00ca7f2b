using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Rehearsal;

/// <summary>
/// This program's own containers in the pods of a backup. Those that fill a server's volume before its start do so as a copy that can only read; all others, which would
/// write into the original's archive, are left out. Pure.
/// </summary>
internal sealed class AgentContainers
{
    private const string Program = "nlds-backup";
    private const string Bootstrap = "--if-empty";
    private const string AsCopy = "--as-copy";
    private const string ReadOnly = "Storage__ReadOnly";

    private readonly HashSet<string> images;

    /// <param name="pods">All that describe pods in the backup: whatever image fills a volume somewhere is this program everywhere.</param>
    public AgentContainers(IEnumerable<JsonObject> pods) => images =
        [.. pods.SelectMany(pod => pod.Items("spec", "initContainers")).Where(IsBootstrap).Select(container => container.Text("image")).OfType<string>()];

    /// <returns>Whether the pod fills a volume from the store.</returns>
    public bool Restrain(JsonObject spec)
    {
        var fills = false;
        foreach (var list in new[] { spec["initContainers"], spec["containers"] }.OfType<JsonArray>())
        {
            for (var index = list.Count - 1; index >= 0; index--)
            {
                if (list[index] is not JsonObject container)
                {
                    continue;
                }

                if (IsBootstrap(container))
                {
                    MakeCopy(container);
                    fills = true;
                }
                else if (IsAgent(container))
                {
                    list.RemoveAt(index);
                }
                else
                {
                    StopArchiving(container);
                }
            }
        }

        return fills;
    }

    /// <summary>Whether nothing would be left of the pod.</summary>
    public bool IsOnlyAgent(JsonObject pod) => pod.Items("spec", "containers").ToList() is { Count: > 0 } containers && containers.All(container => IsAgent(container) && !IsBootstrap(container));

    private bool IsAgent(JsonObject container) =>
        container.Text("name") == Program || (container.Text("image") is { } image && (images.Contains(image) || RepositoryOf(image) == Program));

    private static bool IsBootstrap(JsonObject container) => Words(container).Any(word => word.Contains(Bootstrap, StringComparison.Ordinal));

    private static void MakeCopy(JsonObject container)
    {
        foreach (var list in new[] { container["command"], container["args"] }.OfType<JsonArray>())
        {
            for (var index = list.Count - 1; index >= 0; index--)
            {
                var word = list[index]!.ToString();
                if (word == Bootstrap && !Words(container).Contains(AsCopy))
                {
                    list.Insert(index + 1, AsCopy);
                }
                else if (word != Bootstrap && word.Contains(Bootstrap, StringComparison.Ordinal) && !word.Contains(AsCopy, StringComparison.Ordinal))
                {
                    // A shell's whole line.
                    list[index] = word.Replace(Bootstrap, $"{Bootstrap} {AsCopy}", StringComparison.Ordinal);
                }
            }
        }

        var environment = (container["env"] ??= new JsonArray()).AsArray();
        foreach (var earlier in environment.OfType<JsonObject>().Where(variable => string.Equals(variable.Text("name"), ReadOnly, StringComparison.OrdinalIgnoreCase)).ToList())
        {
            environment.Remove(earlier);
        }

        environment.Add(new JsonObject { ["name"] = ReadOnly, ["value"] = "true" });
    }

    /// <summary>What PostgreSQL is started with counts for more than what a restore writes: <c>-c archive_mode=on</c>.</summary>
    private static void StopArchiving(JsonObject container)
    {
        foreach (var list in new[] { container["command"], container["args"] }.OfType<JsonArray>())
        {
            for (var index = 0; index < list.Count; index++)
            {
                var word = list[index]!.ToString();
                foreach (var begin in (string[])["archive_mode=", "--archive_mode=", "--archive-mode=", "-carchive_mode="])
                {
                    if (word.StartsWith(begin, StringComparison.Ordinal))
                    {
                        list[index] = begin + "off";
                    }
                }
            }
        }
    }

    private static List<string> Words(JsonObject container) =>
        [.. new[] { container["command"], container["args"] }.OfType<JsonArray>().SelectMany(list => list).Select(word => word?.ToString() ?? "")];

    /// <summary>The last part of an image's name, without tag and digest.</summary>
    private static string RepositoryOf(string image) => image.Split('/')[^1].Split('@')[0].Split(':')[0];
}
