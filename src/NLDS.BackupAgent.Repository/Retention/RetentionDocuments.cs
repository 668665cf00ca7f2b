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

/// <summary><c>SOURCE/lease/request.json</c>: somebody who has not the lease wants its holder to prune.</summary>
/// <param name="Epoch">Whom it asks: a later holder does not do what was asked of an earlier one.</param>
internal sealed record PruneRequest(Guid Id, ulong Epoch, bool AllowLarge, string By, DateTimeOffset AskedAt);

/// <summary><c>SOURCE/lease/answer.json</c>: what came of the request with this id; a register that the holder writes.</summary>
/// <param name="IsDone">False while the holder is at it.</param>
/// <param name="Refusal">Why it did not do it, or not to the end; null when it did.</param>
internal sealed record PruneAnswer(Guid Id, bool IsDone, int Backups, int Objects, IReadOnlyList<string> Left, string? Refusal);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(HoldDocument))]
[JsonSerializable(typeof(Tombstone))]
[JsonSerializable(typeof(PrunedLogDocument))]
[JsonSerializable(typeof(PruneRequest))]
[JsonSerializable(typeof(PruneAnswer))]
internal sealed partial class RetentionJson : JsonSerializerContext;
