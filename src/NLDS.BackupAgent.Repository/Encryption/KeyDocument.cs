using System.Text.Json;
using System.Text.Json.Serialization;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>
/// <c>keys/KEYID.json</c>: written once, when a key is first written with, before anything else that is written with it.
/// </summary>
/// <param name="KeyId">Which key.</param>
/// <param name="Check">The key's check value.</param>
/// <param name="Created">When it was first written with.</param>
/// <param name="Vouched">
/// The documents that the repository held then and that this key did not authenticate, by their names, each with the SHA-256 of all its bytes. A holder of the
/// key says of them that they were there: they stay good, and none can be added.
/// </param>
internal sealed record KeyDocument(string KeyId, string Check, DateTimeOffset Created, IReadOnlyDictionary<string, string> Vouched)
{
    public const string Folder = "keys/";

    public static ObjectKey Name(string keyId) => new($"{Folder}{keyId}.json");

    /// <summary>The id of a key document's name, or null for any other name.</summary>
    public static string? TryParseName(ObjectKey name) =>
        name.Value is var value && value.StartsWith(Folder, StringComparison.Ordinal) && value.EndsWith(".json", StringComparison.Ordinal)
            && value[Folder.Length..^5] is { Length: 2 * RepositoryKey.IdBytes } id && id.All(char.IsAsciiHexDigitLower)
            ? id
            : null;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(KeyDocument))]
internal sealed partial class KeyJson : JsonSerializerContext;
