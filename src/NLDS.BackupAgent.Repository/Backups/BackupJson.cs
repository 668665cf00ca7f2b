using System.Text.Json;
using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Backups;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BackupManifest))]
[JsonSerializable(typeof(BackupClaim))]
[JsonSerializable(typeof(RepositoryDocument))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class BackupJson : JsonSerializerContext;

/// <summary>Says that a session has begun; the backup does not exist before its manifest does.</summary>
internal sealed record BackupClaim(string Source, string Id, DateTimeOffset Began, string Agent);

/// <summary><c>repository.json</c>: written once, when the repository is first used.</summary>
internal sealed record RepositoryDocument(int Format, Guid Id, DateTimeOffset Created)
{
    public const int CurrentFormat = 1;
}
