namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>A restore that was proved possible. Each source derives its own; what people read of it is here.</summary>
public abstract record RestorePlan
{
    public required string Source { get; init; }

    public required string BackupId { get; init; }

    /// <summary>What will be reached, in words: <c>2026-11-23T14:03:17Z (LSN 0/5A3C1F8 on timeline 2)</c>.</summary>
    public required string Target { get; init; }

    /// <summary>The newest moment, by the source's clock, that will be in the restored data; null when the log does not tell.</summary>
    public DateTimeOffset? RecoversTo { get; init; }

    /// <summary>Bytes to be read from the store.</summary>
    public required long StoredBytes { get; init; }

    /// <summary>Bytes to be written to the target.</summary>
    public required long ContentBytes { get; init; }

    /// <summary>How long it should take until the service answers, from what is known of rates.</summary>
    public required TimeSpan Estimate { get; init; }

    /// <summary>The request itself asked for nothing more than the plan, in the source's own words (<c>--mode plan</c>).</summary>
    public bool IsOnlyAPlan { get; init; }

    /// <summary>What will be done, step by step, for people.</summary>
    public required IReadOnlyList<string> Steps { get; init; }

    /// <summary>What the operator should know before going on.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
