using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// What a piece of the log says of itself. It travels inside the object, so that a piece and its proof become durable in one put and can never part
/// (see <see cref="SealFrame"/>).
/// </summary>
public sealed record LogSeal
{
    public required string Lineage { get; init; }

    public required ulong Start { get; init; }

    public required ulong End { get; init; }

    /// <summary>Where the hashed content begins: at or before <see cref="Start"/>, so that consecutive pieces form a chain.</summary>
    public required ulong HashedFrom { get; init; }

    /// <summary>SHA-256 of the log from <see cref="HashedFrom"/> to <see cref="End"/>, lower-case hexadecimal.</summary>
    public required string ContentSha256 { get; init; }

    /// <summary>Length of the object without this seal, as stored.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>SHA-256 of the object without this seal.</summary>
    public required string StoredSha256 { get; init; }

    /// <summary>The earliest and latest event times (commits, for a database) inside this piece, by the source's clock; null without any.</summary>
    public DateTimeOffset? Earliest { get; init; }

    public DateTimeOffset? Latest { get; init; }

    /// <summary>When which part of this piece arrived (<see cref="LogWindow.Decode"/>); absent where the log has times of its own.</summary>
    public IReadOnlyList<long>? Arrivals { get; init; }

    /// <summary>The source's log ended at or before <see cref="End"/> at this time by its own clock: nothing older is missing after this piece.</summary>
    public DateTimeOffset? AsOf { get; init; }
}

/// <summary>
/// Where the durable log ended when it was last looked at; the one register beside the pieces. It lets a restore reach moments at which nothing was written,
/// and shows when pieces have vanished.
/// </summary>
public sealed record LogConfirmation(string Lineage, ulong Position, DateTimeOffset AsOf);

/// <summary>A hole that was met and recorded.</summary>
public sealed record LogGap(string Lineage, ulong Start, ulong End, string Reason, DateTimeOffset RecordedAt);

/// <summary>A named moment in the log.</summary>
public sealed record LogMark(string Name, string Lineage, ulong Start, ulong End, DateTimeOffset Time);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(LogSeal))]
[JsonSerializable(typeof(LogConfirmation))]
[JsonSerializable(typeof(LogGap))]
[JsonSerializable(typeof(LogMark))]
[JsonSerializable(typeof(PlainEnds))]
internal sealed partial class LogJson : JsonSerializerContext;
