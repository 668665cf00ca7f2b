namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary><c>postgres/adopted/RESTORE-ID.json</c>: a restored server took the original's place in this archive. Written once, never changed.</summary>
internal sealed record Adoption
{
    public required string RestoreId { get; init; }

    public required string SystemIdentifier { get; init; }

    /// <summary>The timeline on which it goes on.</summary>
    public required uint Timeline { get; init; }

    /// <summary>The timeline that it grew out of, and where; null where it had none.</summary>
    public required uint? Parent { get; init; }

    public required string? SwitchPoint { get; init; }

    public required DateTimeOffset AdoptedAt { get; init; }

    /// <summary>The agent's instance.</summary>
    public required string By { get; init; }
}
