using System.Text.Json;
using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Backups;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BackupManifest))]
[JsonSerializable(typeof(BackupClaim))]
[JsonSerializable(typeof(UnchangedSince))]
[JsonSerializable(typeof(RepositoryDocument))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class BackupJson : JsonSerializerContext;

/// <summary>Says that a session has begun; the backup does not exist before its manifest does.</summary>
/// <param name="Session">Tells a claim that was put twice from two sessions in one second.</param>
internal sealed record BackupClaim(string Source, string Id, DateTimeOffset Began, string Agent, Guid Session);

/// <summary>
/// <c>unchanged.json</c> beside a manifest: at <paramref name="CheckedAt"/> the source was what the backup holds, and no new backup was taken. Written anew each time.
/// </summary>
internal sealed record UnchangedSince(string Source, string Id, DateTimeOffset CheckedAt);

/// <summary><c>repository.json</c>: written once, when the repository is first used.</summary>
internal sealed record RepositoryDocument(int Format, Guid Id, DateTimeOffset Created)
{
    public const int CurrentFormat = 1;
}
