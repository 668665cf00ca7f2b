using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>
/// Forges a document of the repository: other content under a proof that fits. Written from the format's description rather than with the program's own code.
/// </summary>
public static class ProvenJson
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    /// <param name="json">An object, with or without a proof.</param>
    public static byte[] Prove(string json)
    {
        var document = JsonNode.Parse(json)!.AsObject();
        document.Remove("sha256");
        var lines = document.ToJsonString(Indented)[..^2] + ",\n";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines)));
        return Encoding.UTF8.GetBytes($"{lines}  \"sha256\": \"{hash}\"\n}}\n");
    }
}
