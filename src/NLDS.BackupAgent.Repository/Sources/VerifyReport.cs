namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>What to read back: every backup and the log, the newest backup and the log it needs, or one backup by its id.</summary>
public sealed record VerifyScope(string? BackupId)
{
    public static VerifyScope All { get; } = new("all");

    public static VerifyScope Latest { get; } = new("latest");

    /// <summary>Everything that was never read back.</summary>
    public static VerifyScope New { get; } = All with { TrustsProofsFor = TimeSpan.MaxValue };

    /// <summary>
    /// What was read back less than this long ago is believed, by the proof that was stored then; null reads all of it again. Whatever is believed is still
    /// looked for in the listing.
    /// </summary>
    public TimeSpan? TrustsProofsFor { get; init; }

    /// <summary>Reads a part of the oldest proofs again before their time, so that not all fall due on one day. Made for a daily run.</summary>
    public bool Spreads { get; init; }

    /// <summary>Puts back what the log itself still tells, such as the record of a named moment; for the one agent that writes here.</summary>
    public bool Heals { get; init; }

    /// <summary>What a daily run reads: all that is new, and of the rest so much that every byte is read again within <paramref name="fullEvery"/>.</summary>
    public static VerifyScope Daily(TimeSpan fullEvery) => All with { TrustsProofsFor = fullEvery, Spreads = true, Heals = true };
}

/// <summary>What was read back and what is wrong with it.</summary>
public sealed record VerifyReport(string Source, int ObjectsRead, long StoredBytes, long ContentBytes, IReadOnlyList<DamageFinding> Damage)
{
    /// <summary>Objects that were believed by an earlier proof.</summary>
    public int ObjectsBelieved { get; init; }

    /// <summary>What is worth knowing and no damage: what was put back, a proof that could not be stored.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>One damaged or missing thing.</summary>
/// <param name="Subject">The object's key, or the range of the log that is missing.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="Cost">What can no longer be restored because of it.</param>
public sealed record DamageFinding(string Subject, string What, string Cost)
{
    /// <summary>The first moment, by the source's clock, that can no longer be restored; null when no moment is lost, or none is known.</summary>
    public DateTimeOffset? LostFrom { get; init; }

    /// <summary>Where restorable moments begin again; null when they do not, or no moment is lost.</summary>
    public DateTimeOffset? LostTo { get; init; }
}
