using System.Text.Json.Serialization;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary><c>SOURCE/lease/EPOCH.json</c>: who took the source, put if absent and never changed. The epoch is the fencing token.</summary>
internal sealed record LeaseDocument
{
    public required string Source { get; init; }

    public required ulong Epoch { get; init; }

    /// <summary>Tells two attempts of one process from each other.</summary>
    public required Guid Session { get; init; }

    public required string Instance { get; init; }

    public required string Machine { get; init; }

    /// <summary>The agent's version.</summary>
    public required string Agent { get; init; }

    public required ProcessIdentity Process { get; init; }

    /// <summary>By the holder's clock; for people, never compared.</summary>
    public required DateTimeOffset AcquiredAt { get; init; }

    public required TimeSpan BeatEvery { get; init; }

    public required TimeSpan LapsesAfter { get; init; }
}

/// <summary><c>SOURCE/lease/EPOCH.beat.json</c>: a register that only its holder writes. That it changes is what counts.</summary>
/// <param name="Session">The holder's.</param>
/// <param name="Count">Grows with each beat.</param>
/// <param name="At">By the holder's clock; for people, never compared.</param>
/// <param name="Released">The holder has ended in order and writes no more.</param>
internal sealed record LeaseBeat(Guid Session, long Count, DateTimeOffset At, bool Released);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(LeaseDocument))]
[JsonSerializable(typeof(LeaseBeat))]
internal sealed partial class LeaseJson : JsonSerializerContext;
