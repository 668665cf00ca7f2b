using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>
/// A manifest as bytes. Everything else in a backup is proved by its manifest, so the manifest proves itself: its last line but one is the SHA-256 of all
/// lines before, which <c>head -n -2 manifest.json | sha256sum</c> computes too.
/// </summary>
internal static class ManifestDocument
{
    private const string HashLine = "  \"sha256\": \"";
    private const string End = "\"\n}\n";

    /// <summary><c>\n}</c>, with which the serializer ends every document.</summary>
    private const int ClosingBytes = 2;

    public static byte[] Write(BackupManifest manifest)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Default.BackupManifest);
        byte[] lines = [.. json.AsSpan(0, json.Length - ClosingBytes), .. ",\n"u8];
        return [.. lines, .. Closing(lines)];
    }

    /// <exception cref="JsonException">These are not the bytes that were written.</exception>
    public static BackupManifest Read(ReadOnlySpan<byte> document)
    {
        var closing = HashLine.Length + (2 * SHA256.HashSizeInBytes) + End.Length;
        if (document.Length <= closing || !document[^closing..].SequenceEqual(Closing(document[..^closing])))
        {
            throw new JsonException("Its SHA-256 is not the one that it says.");
        }

        return JsonSerializer.Deserialize(document, BackupJson.Default.BackupManifest) ?? throw new JsonException("It is empty.");
    }

    private static byte[] Closing(ReadOnlySpan<byte> lines) =>
        Encoding.ASCII.GetBytes(HashLine + Convert.ToHexStringLower(SHA256.HashData(lines)) + End);
}
