using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary>
/// <c>postgres/succession/RESTORE-ID.json</c>: a restore was made to take the original's place. Written once, by the restore. It holds as long as the archive ends
/// where it ended then: an original that lives is confirmed every few seconds, so that no copy of it can ever use this.
/// </summary>
internal sealed record Succession
{
    public required string RestoreId { get; init; }

    public required string SystemIdentifier { get; init; }

    /// <summary>What the archive held when the restore was planned.</summary>
    public required ArchiveEnd Archive { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }

    /// <summary>The instance that restored.</summary>
    public required string By { get; init; }
}

/// <summary>Where an archive of write-ahead log ends: equal only if nobody has written or confirmed anything in between.</summary>
/// <param name="Timeline">The newest.</param>
/// <param name="Lsn">The end of its log.</param>
/// <param name="Confirmed">The last confirmation: timeline, position and moment; null when there is none.</param>
internal sealed record ArchiveEnd(uint Timeline, string Lsn, string? Confirmed)
{
    public static ArchiveEnd Of(LogInventory inventory)
    {
        var timeline = inventory.Pieces.Count > 0 ? WalPath.NewestTimeline(inventory) : 0;
        var lineage = WalNaming.Lineage(timeline);
        var end = inventory.Pieces.Where(p => p.Lineage == lineage).Select(p => p.Range.End)
            .Concat(inventory.Gaps.Where(g => g.Lineage == lineage).Select(g => g.End))
            .DefaultIfEmpty()
            .Max();
        return new ArchiveEnd(
            timeline,
            new Lsn(end).ToString(),
            inventory.Confirmation is { } confirmed ? $"{confirmed.Lineage} {new Lsn(confirmed.Position)} {confirmed.AsOf.UtcDateTime:O}" : null);
    }
}
