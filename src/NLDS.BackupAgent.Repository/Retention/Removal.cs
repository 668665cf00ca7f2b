using System.Globalization;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Deletes in batches, counts, and tells objects that the store keeps for a time from failures: those are for a later run.</summary>
internal sealed class Removal(IObjectStore store)
{
    /// <summary>What S3 takes in one request.</summary>
    public const int BatchSize = 1_000;

    public int Objects { get; private set; }

    /// <summary>Until when the store keeps what could not be removed, the latest of all; null when nothing was kept.</summary>
    public DateTimeOffset? LockedUntil { get; private set; }

    /// <summary>Removes at most a batch of objects that are there.</summary>
    /// <returns>Those that the store keeps.</returns>
    public async Task<IReadOnlyList<ObjectKey>> DeleteAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        var locked = await DeleteAnyAsync(keys, cancellationToken);
        Objects += keys.Count - locked.Count;
        return locked;
    }

    /// <summary>The same for what may be there or not, and is not counted.</summary>
    public async Task<IReadOnlyList<ObjectKey>> DeleteAnyAsync(IReadOnlyCollection<ObjectKey> keys, CancellationToken cancellationToken)
    {
        if (keys.Count == 0)
        {
            return [];
        }

        try
        {
            await store.DeleteAsync(keys, cancellationToken);
            return [];
        }
        catch (ObjectStoreException kept) when (kept.Locked.Count > 0)
        {
            var until = kept.Locked.Max(l => l.Until);
            LockedUntil = until > LockedUntil || LockedUntil is null ? until : LockedUntil;
            return [.. kept.Locked.Select(l => l.Key)];
        }
    }

    public static string WhyLocked(DateTimeOffset until) =>
        string.Create(CultureInfo.InvariantCulture, $"locked by the store until {until.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z");
}
