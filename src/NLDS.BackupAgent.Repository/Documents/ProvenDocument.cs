using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Documents;

/// <summary>
/// A JSON document that proves itself: its last line but one is the SHA-256 of all lines before, which <c>head -n -2 FILE | sha256sum</c> computes too.
/// Content is proved by documents; nothing else would prove these.
/// </summary>
internal static class ProvenDocument
{
    private const string HashLine = "  \"sha256\": \"";
    private const string End = "\"\n}\n";

    private static readonly JsonWriterOptions Lines = new() { Indented = true, NewLine = "\n" };

    /// <summary><c>\n}</c>, with which an indented object ends.</summary>
    private const int ClosingBytes = 2;

    private static readonly int ProofBytes = HashLine.Length + (2 * SHA256.HashSizeInBytes) + End.Length;

    /// <param name="document">Serializes to an object with at least one property.</param>
    /// <param name="type">How.</param>
    /// <param name="name">Where it will lie; it is authenticated for this place.</param>
    /// <param name="key">What it is authenticated with; null for not at all.</param>
    public static byte[] Write<T>(T document, JsonTypeInfo<T> type, ObjectKey name, RepositoryKey? key)
    {
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json, Lines))
        {
            JsonSerializer.Serialize(writer, document, type);
        }

        byte[] lines = [.. json.GetBuffer().AsSpan(0, (int)json.Length - ClosingBytes), .. ",\n"u8];
        if (key is not null)
        {
            lines = [.. lines, .. Authenticator.Line(Authenticator.Form.Json, key, name, lines)];
        }

        return [.. lines, .. Closing(lines)];
    }

    /// <exception cref="JsonException">These are not the bytes that were written.</exception>
    public static T Read<T>(ReadOnlySpan<byte> document, JsonTypeInfo<T> type)
    {
        if (document.Length <= ProofBytes || !document[^ProofBytes..].SequenceEqual(Closing(document[..^ProofBytes])))
        {
            throw new JsonException("Its SHA-256 is not the one that it says.");
        }

        JsonLists.RequireNoNulls(document);
        return JsonSerializer.Deserialize(document, type) ?? throw new JsonException("It is empty.");
    }

    /// <summary>The SHA-256 that a sound document says of itself.</summary>
    public static string HashIn(ReadOnlySpan<byte> document) =>
        Encoding.ASCII.GetString(document[^(End.Length + (2 * SHA256.HashSizeInBytes))..^End.Length]);

    /// <summary>Who says that he wrote it; null when nobody does. Nothing is proved by finding it.</summary>
    public static Authenticator? FindAuthenticator(ReadOnlySpan<byte> document) =>
        document.Length > ProofBytes ? Authenticator.Find(Authenticator.Form.Json, document[..^ProofBytes]) : null;

    private static byte[] Closing(ReadOnlySpan<byte> lines) =>
        Encoding.ASCII.GetBytes(HashLine + Convert.ToHexStringLower(SHA256.HashData(lines)) + End);
}
