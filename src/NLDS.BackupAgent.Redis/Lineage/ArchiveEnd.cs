using System.Globalization;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary>Where an archive of Redis ends: equal only if nobody has written or confirmed anything in between.</summary>
/// <param name="ReplicationId">Of the history that a restore to latest ends in; null when no stream leads there.</param>
/// <param name="Offset">The end of its stream.</param>
/// <param name="Base">The newest base; null when there is none.</param>
/// <param name="Confirmed">The last confirmation: history, offset and moment; null when there is none.</param>
internal sealed record ArchiveEnd(string? ReplicationId, string? Offset, string? Base, string? Confirmed)
{
    /// <summary>Nothing of Redis was ever stored.</summary>
    public bool IsEmpty => this == new ArchiveEnd(null, null, null, null);

    public static ArchiveEnd Of(LogInventory inventory, IReadOnlyList<RedisBase> bases)
    {
        var frontier = TailStart.Decide(inventory, bases);
        return new ArchiveEnd(
            frontier?.ReplicationId,
            frontier?.Offset.ToString(CultureInfo.InvariantCulture),
            bases.Count == 0 ? null : bases.MaxBy(b => b.Sealed.Id)!.Sealed.Id.ToString(),
            inventory.Confirmation is { } confirmed ? string.Create(CultureInfo.InvariantCulture, $"{confirmed.Lineage} {confirmed.Position} {confirmed.AsOf.UtcDateTime:O}") : null);
    }
}
