using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// Removes one backup so that at every moment it either exists whole or not at all: first the tombstone, which names what belongs to it, then the manifest, then
/// the objects, then the documents about it, at last the tombstone. Wherever it breaks off, the next prune goes on.
/// </summary>
internal sealed class BackupRemoval(BackupRepository repository, IObjectStore store, SnapshotLayout layout, BackupId id, PruneBudget budget)
{
    /// <summary>What tells of a backup goes after what it tells of; a dead session's remains are known by their claim.</summary>
    private static readonly HashSet<string> Last = [SnapshotLayout.ClaimName, SnapshotLayout.HoldName, SnapshotLayout.ProofName, SnapshotLayout.UnchangedName, SnapshotLayout.DamageName];

    private readonly Removal removal = new(store);

    public int Objects => removal.Objects;

    /// <summary>Removes a sealed backup.</summary>
    /// <returns>Null when it is gone; otherwise why it is still there, or not all of it gone.</returns>
    public async Task<string?> RemoveAsync(PlannedBackup planned, CancellationToken cancellationToken)
    {
        List<string> objects = [.. planned.Backup.Manifest.Objects.Select(o => o.Key).Where(IsOwn)];
        await PutTombstoneAsync(planned.Decision.GoesBecause ?? "", objects, cancellationToken);

        // Behind the tombstone: a hold that comes later sees it. What the listing did not show may be there all the same.
        if (await WhyKeptAsync(planned, cancellationToken) is { } why)
        {
            await WithdrawAsync(cancellationToken);
            return why;
        }

        var locked = await removal.DeleteAsync([layout.Manifest(id)], cancellationToken);
        if (locked.Count > 0)
        {
            await WithdrawAsync(cancellationToken);
            return Removal.WhyLocked(removal.LockedUntil!.Value);
        }

        // Asked again, because a manifest whose objects are gone would be worse than anything that a prune is good for.
        if (await store.HeadAsync(layout.Manifest(id), cancellationToken) is not null)
        {
            throw new ObjectStoreException($"{store.Description} has deleted '{layout.Manifest(id)}' and has it still. Nothing else of it was removed.", isPermanent: false);
        }

        return await RemoveRestAsync([.. objects.Select(key => new ObjectKey(key))], cancellationToken);

        bool IsOwn(string key) => key.StartsWith(layout.PrefixOf(id), StringComparison.Ordinal);
    }

    /// <summary>Removes what lies under an id without a manifest.</summary>
    /// <returns>Null when it is gone; otherwise why not.</returns>
    public async Task<string?> SweepAsync(string because, CancellationToken cancellationToken)
    {
        var named = await FindTombstoneAsync(cancellationToken);
        if (named is null)
        {
            // Its session may live after all, behind a clock that was set: with the tombstone there it does not seal, and before it the manifest is found.
            await PutTombstoneAsync(because, [], cancellationToken);
        }

        var why = await store.HeadAsync(layout.Manifest(id), cancellationToken) is not null ? "it has a manifest, although the store did not list it"
            : named is null && await store.HeadAsync(layout.Hold(id), cancellationToken) is not null ? "held meanwhile"
            : null;
        if (why is null)
        {
            return await RemoveRestAsync(named ?? [], cancellationToken);
        }

        if (named is null)
        {
            await WithdrawAsync(cancellationToken);
        }

        return why;
    }

    /// <summary>Takes back a decision that an earlier prune had written down and not begun to carry out.</summary>
    public Task WithdrawAsync(CancellationToken cancellationToken) => removal.DeleteAnyAsync([layout.Tombstone(id)], cancellationToken);

    private async Task<string?> WhyKeptAsync(PlannedBackup planned, CancellationToken cancellationToken)
    {
        if (await store.HeadAsync(layout.Hold(id), cancellationToken) is not null)
        {
            return "held meanwhile";
        }

        return !planned.IsVerified && await store.HeadAsync(layout.Key(id, SnapshotLayout.ProofName), cancellationToken) is not null ? "verified meanwhile" : null;
    }

    private async Task<string?> RemoveRestAsync(IReadOnlyList<ObjectKey> named, CancellationToken cancellationToken)
    {
        foreach (var batch in named.Chunk(Removal.BatchSize))
        {
            await removal.DeleteAsync(batch, cancellationToken);
        }

        var last = new List<ObjectKey>();
        ObjectKey? after = null;
        do
        {
            if (budget.IsSpent)
            {
                return "not all of it is gone yet; the next prune goes on";
            }

            var batch = new List<ObjectKey>();
            await foreach (var entry in store.ListAsync(layout.PrefixOf(id), after, cancellationToken))
            {
                batch.Add(entry.Key);
                if (batch.Count == Removal.BatchSize)
                {
                    break;
                }
            }

            after = batch.Count == Removal.BatchSize ? batch[^1] : null;
            last.AddRange(batch.Where(IsLast));
            await removal.DeleteAsync([.. batch.Where(key => !IsLast(key) && !Stays(key))], cancellationToken);
        }
        while (after is not null);

        if (removal.LockedUntil is { } until)
        {
            return Removal.WhyLocked(until);
        }

        // A hold may have come since the listing, too late; nothing must be left that speaks of a backup that is gone.
        await removal.DeleteAsync(last, cancellationToken);
        await removal.DeleteAnyAsync([layout.Hold(id)], cancellationToken);
        await removal.DeleteAnyAsync([layout.Tombstone(id)], cancellationToken);
        return removal.LockedUntil is { } later ? Removal.WhyLocked(later) : null;
    }

    /// <summary>The tombstone goes at the very end. A manifest that is listed once more is gone or lied about, and never goes with objects.</summary>
    private bool Stays(ObjectKey key) => key == layout.Tombstone(id) || key == layout.Manifest(id);

    private bool IsLast(ObjectKey key) =>
        layout.TryParse(key, out _, out var name) && Last.Contains(name);

    private Task<bool> PutTombstoneAsync(string because, IReadOnlyList<string> objects, CancellationToken cancellationToken) => repository.Documents.PutAsync(
        layout.Tombstone(id),
        new Tombstone(layout.Source, id.ToString(), because, repository.Clock.GetUtcNow(), objects),
        RetentionJson.Default.Tombstone,
        cancellationToken);

    /// <summary>What the tombstone that is there names; null when there is none.</summary>
    private async Task<IReadOnlyList<ObjectKey>?> FindTombstoneAsync(CancellationToken cancellationToken)
    {
        try
        {
            var tombstone = await repository.Documents.FindAsync(layout.Tombstone(id), RetentionJson.Default.Tombstone, cancellationToken);
            return tombstone is null
                ? null
                : [.. tombstone.Objects.Where(key => key.StartsWith(layout.PrefixOf(id), StringComparison.Ordinal) && ObjectKey.TryParse(key, out _)).Select(key => new ObjectKey(key))];
        }
        catch (NotRestorableException)
        {
            // What lies under the id goes by the listing.
            return [];
        }
    }
}
