using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Keeps single backups from every policy: a held backup and the log that makes it consistent stay until it is released.</summary>
public sealed class BackupHolds(BackupRepository repository)
{
    /// <summary>Whether there is such a backup, sound or not.</summary>
    public async Task<bool> ExistsAsync(SnapshotLayout layout, BackupId id, CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        return await repository.ExistsAsync(layout, id, cancellationToken);
    }

    /// <summary>Ids of all backups of a source, oldest first, without reading one.</summary>
    public async Task<IReadOnlyList<BackupId>> ListIdsAsync(SnapshotLayout layout, CancellationToken cancellationToken)
    {
        var folders = await BackupFolder.ListAsync(repository.Store, layout, cancellationToken);
        return [.. folders.Values.Where(f => f.HasManifest).Select(f => f.Id).Order()];
    }

    /// <param name="layout">Of the backup's source.</param>
    /// <param name="id">A backup that exists.</param>
    /// <param name="reason">Why, for whoever wonders later.</param>
    /// <param name="by">Who, as <c>user@host</c>.</param>
    /// <param name="cancellationToken">Leaves it undecided.</param>
    /// <returns>False when it was held already; the first hold stands.</returns>
    /// <exception cref="NotRestorableException">A prune has begun to remove it.</exception>
    public async Task<bool> HoldAsync(SnapshotLayout layout, BackupId id, string reason, string by, CancellationToken cancellationToken)
    {
        await repository.PrepareAsync(cancellationToken);
        var hold = new HoldDocument(layout.Source, id.ToString(), reason, by, repository.Clock.GetUtcNow());
        var isNew = await repository.Documents.PutAsync(layout.Hold(id), hold, RetentionJson.Default.HoldDocument, cancellationToken);

        // A prune puts its tombstone and then looks for a hold; here it is the other way round. One of the two sees the other, whatever the order.
        if (await repository.Store.HeadAsync(layout.Tombstone(id), cancellationToken) is not null)
        {
            throw new NotRestorableException(
                $"A prune is about to remove backup {id} of {layout.Source}, or had begun to and broke off. The hold is written and may have come in time: "
                + $"run 'prune {layout.Source} --plan' and see whether it is kept.");
        }

        return isNew;
    }

    /// <returns>False when nobody held it.</returns>
    public async Task<bool> ReleaseAsync(SnapshotLayout layout, BackupId id, CancellationToken cancellationToken)
    {
        var held = await repository.Store.HeadAsync(layout.Hold(id), cancellationToken) is not null;
        await repository.Store.DeleteAsync([layout.Hold(id)], cancellationToken);
        return held;
    }
}
