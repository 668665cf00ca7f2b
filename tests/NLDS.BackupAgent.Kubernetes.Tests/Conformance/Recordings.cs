using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Kubernetes.Tests.Conformance;

/// <summary>A real API server's answers, where they lie beside the checkout.</summary>
internal static class Recordings
{
    public static string Folder { get; } = Find();

    public static bool Exist => File.Exists(Path.Combine(Folder, "index.json"));

    public static IReadOnlyList<Recording> All() =>
        [.. JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "index.json")))!["entries"]!.AsArray().Select(e => new Recording(e!.AsObject()))];

    /// <summary>All objects that were listed, as they were.</summary>
    public static IEnumerable<JsonObject> Objects() =>
        Directory.GetFiles(Path.Combine(Folder, "lists", "nlds"), "*.json").Concat(Directory.GetFiles(Path.Combine(Folder, "lists", "cluster"), "*.json"))
            .Order(StringComparer.Ordinal)
            .Where(file => !file.Contains("autoscaling_v1", StringComparison.Ordinal) && !file.Contains("v1beta1", StringComparison.Ordinal))
            .SelectMany(ObjectsOf);

    public static IEnumerable<JsonObject> ObjectsOf(string file)
    {
        var list = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        foreach (var item in list["items"]!.AsArray())
        {
            var value = item!.DeepClone().AsObject();
            value["apiVersion"] = list["apiVersion"]!.DeepClone();
            value["kind"] = list["kind"]!.GetValue<string>()[..^4];
            yield return value;
        }
    }

    private static string Find()
    {
        foreach (var place in new[] { "../shared", "../../shared" })
        {
            var folder = Path.GetFullPath(Path.Combine(Checkout.Root, place, "kubernetes-recordings"));
            if (Directory.Exists(folder))
            {
                return folder;
            }
        }

        return Path.GetFullPath(Path.Combine(Checkout.Root, "../shared/kubernetes-recordings"));
    }
}

internal sealed record Recording(JsonObject Entry)
{
    public string File => Entry["file"]!.GetValue<string>();

    public string Method => Entry["method"]!.GetValue<string>();

    public string Path => Entry["path"]!.GetValue<string>();

    public string? User => Entry["user"]?.GetValue<string>();

    public int Status => Entry["status"]!.GetValue<int>();

    public string? Note => Entry["note"]?.GetValue<string>();

    public string? Header(string name) => Entry["requestHeaders"]?[name]?.GetValue<string>();

    public string? AnswerHeader(string name) => Entry["responseHeaders"]?[name]?.GetValue<string>();

    public string? RequestBody => Entry["requestBody"] switch
    {
        null => null,
        JsonValue text when text.GetValueKind() == JsonValueKind.String => text.GetValue<string>(),
        var value => value.ToJsonString(),
    };

    public string Body => System.IO.File.ReadAllText(System.IO.Path.Combine(Recordings.Folder, File));

    public override string ToString() => $"{File} ({Method} {Path})";
}
