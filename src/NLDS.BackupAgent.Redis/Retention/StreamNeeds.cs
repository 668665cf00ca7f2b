using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Redis.Retention;

/// <summary>
/// Which part of the stream stays when certain bases do. Pure. A base needs no stream to be consistent; so what stays is everything behind the base with which the
/// recovery window begins, and behind the later ones, over all changes of the replication id.
/// </summary>
internal static class StreamNeeds
{
    /// <param name="since">Every moment from here on must stay restorable, as far as it is now.</param>
    public static LogNeeds Find(LogArchive archive, LogInventory inventory, IReadOnlyList<RedisBase> kept, DateTimeOffset since)
    {
        List<RedisBase> continued = [.. kept.Where(b => b.Details.Position is not null).OrderBy(b => b.Sealed.Id)];
        var first = continued.LastOrDefault(b => b.Sealed.Manifest.Ended <= since);
        if (first is null)
        {
            // The stream of a young repository is short.
            return Needs(archive, inventory, [], continued is [var oldest, ..] ? oldest.Details.At : null);
        }

        // Of each lineage, from where on it is needed: the first base's offset, nothing at all, or, when it was only gone on with, everything.
        var wholeFrom = inventory.Pieces.GroupBy(p => p.Lineage).ToDictionary(l => l.Key, l => l.Max(p => p.Range.End));
        foreach (var needed in continued.Where(b => b.Sealed.Id >= first.Sealed.Id))
        {
            var path = StreamPath.Find(inventory, needed.Details.Position!.Value);
            var start = path.Start.ReplicationId;
            wholeFrom[start] = Math.Min(wholeFrom.GetValueOrDefault(start, ulong.MaxValue), path.Start.Offset);
            foreach (var change in path.Switches)
            {
                wholeFrom[change.Child] = Math.Min(wholeFrom.GetValueOrDefault(change.Child, ulong.MaxValue), change.Offset);
            }
        }

        return Needs(archive, inventory, wholeFrom, first.Details.At);
    }

    private static LogNeeds Needs(LogArchive archive, LogInventory inventory, Dictionary<string, ulong> wholeFrom, DateTimeOffset? restorableFrom) => new()
    {
        Archive = archive,
        Inventory = inventory,
        WholeFrom = wholeFrom,
        Islands = [],
        RestorableFrom = restorableFrom,
    };
}
