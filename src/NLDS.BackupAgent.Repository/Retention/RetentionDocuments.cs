using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary><c>hold.json</c>: somebody wants this backup kept, whatever the policy says.</summary>
internal sealed record HoldDocument(string Source, string Id, string Reason, string By, DateTimeOffset HeldAt);

/// <summary>
/// <c>pruned.json</c>: retention has decided to remove this backup. While its manifest is there nothing has been removed and the decision may be taken back;
/// afterwards it names what is left to remove.
/// </summary>
internal sealed record Tombstone(string Source, string Id, string Reason, DateTimeOffset PrunedAt, IReadOnlyList<string> Objects);

/// <summary><c>pruned/GENERATION.json</c> of a log: all sections that retention has ever removed. The newest generation is the one that counts.</summary>
internal sealed record PrunedLogDocument(DateTimeOffset RecordedAt, IReadOnlyList<LogSection> Sections);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HoldDocument))]
[JsonSerializable(typeof(Tombstone))]
[JsonSerializable(typeof(PrunedLogDocument))]
internal sealed partial class RetentionJson : JsonSerializerContext;
