using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>Something wrong with a backup.</summary>
/// <param name="Subject">The object's key.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="IsLost">False when the backup can be restored all the same.</param>
public sealed record BackupDamage(BackupId Id, string Subject, string What, bool IsLost);

/// <summary>What a verification found among a source's backups.</summary>
/// <param name="All">Every backup with a sound manifest.</param>
/// <param name="InScope">Those that were asked about, whether read now or believed.</param>
/// <param name="Damage">What is wrong with any.</param>
public sealed record VerifiedBackups(IReadOnlyList<SealedBackup> All, IReadOnlyList<SealedBackup> InScope, IReadOnlyList<BackupDamage> Damage)
{
    /// <summary>Those that a restore can begin with, as far as is known.</summary>
    public IReadOnlyList<SealedBackup> Sound => [.. All.Where(backup => !Damage.Any(damage => damage.IsLost && damage.Id == backup.Id))];
}

/// <summary>
/// Reads a source's backups back. Every object that belongs to one is accounted for; content is held against the manifest's hashes and against what the source
/// itself knows of it; a backup without a fault gets a proof, and need not be read again for a while.
/// </summary>
/// <param name="lastObject">The object that a session of this source seals last: where it lies without a manifest, there was one.</param>
public sealed class BackupVerifier(BackupRepository repository, SnapshotLayout layout, string lastObject)
{
    /// <summary>Objects under way at once: one is decompressed while another waits for the store. Each holds four ranges of a few megabytes.</summary>
    private const int ParallelObjects = 2;

    /// <param name="begin">Makes the source's own check of a backup.</param>
    /// <exception cref="UsageException">The scope names a backup that there is not.</exception>
    public async Task<VerifiedBackups> VerifyAsync(Func<SealedBackup, IBackupCheck> begin, VerificationRun run, CancellationToken cancellationToken)
    {
        var folders = await BackupFiles.ListAsync(repository.Store, layout, cancellationToken);
        var listing = await repository.Catalog.ListAsync(layout, folders, anew: true, cancellationToken);
        var damage = new List<BackupDamage>(listing.Damaged.Select(d => new BackupDamage(d.Id, d.Manifest, d.Reason, IsLost: true)));
        var inScope = InScope(listing, run.Scope);
        damage.AddRange(await new BackupAccounts(repository, layout, lastObject).FindFaultsAsync(folders, listing, run, cancellationToken));
        var chosen = ReadingPlan.Choose([.. inScope.Select(backup => (backup, backup.VerifiedAt))], run.Began, run.Scope);
        run.Believe(inScope.Except(chosen).Sum(backup => backup.Manifest.Objects.Count));
        var read = chosen.ToHashSet();
        foreach (var backup in inScope)
        {
            using var check = begin(backup);
            var isRead = read.Contains(backup);
            var faults = isRead ? await ReadAsync(backup, check, run, cancellationToken) : [.. FindMissing(backup, folders)];
            if (faults.Count > 0 && !await repository.ExistsAsync(layout, backup.Id, cancellationToken))
            {
                // Retention has begun to remove it since it was listed.
                continue;
            }

            damage.AddRange(faults);
            if (faults.Count > 0 || isRead)
            {
                await RememberAsync(backup, isSound: faults.Count == 0, run, cancellationToken);
            }
        }

        return new VerifiedBackups(listing, inScope, damage);
    }

    /// <summary>With a backup all that it builds upon: it is worth nothing without.</summary>
    private static IReadOnlyList<SealedBackup> InScope(BackupListing<SealedBackup> all, VerifyScope scope) => scope.BackupId switch
    {
        "all" => all,
        "latest" => all.Count > 0 ? BackupChains.Of(all[^1], all) : [],
        var id when all.FirstOrDefault(backup => backup.Id.ToString() == id) is { } one => BackupChains.Of(one, all),
        var id when all.Damaged.Any(backup => backup.Id.ToString() == id) => [],
        var id => throw new UsageException($"There is no backup '{id}'. Those there are: {string.Join(", ", all.Select(backup => backup.Id))}."),
    };

    /// <summary>What a proof tells of must still be listed in its full length.</summary>
    private static IEnumerable<BackupDamage> FindMissing(SealedBackup backup, IReadOnlyList<BackupFiles> folders)
    {
        var listed = folders.First(folder => folder.Id == backup.Id).ByName.Values.ToDictionary(entry => entry.Key.Value, entry => entry.Bytes);
        foreach (var content in backup.Manifest.Objects)
        {
            if (!listed.TryGetValue(content.Key, out var bytes))
            {
                yield return new BackupDamage(backup.Id, content.Key, "is missing from the repository", IsLost: true);
            }
            else if (bytes != content.StoredBytes)
            {
                yield return new BackupDamage(backup.Id, content.Key, $"has {bytes} bytes instead of {content.StoredBytes}", IsLost: true);
            }
        }
    }

    private async Task<IReadOnlyList<BackupDamage>> ReadAsync(SealedBackup backup, IBackupCheck check, VerificationRun run, CancellationToken cancellationToken)
    {
        var faults = new List<BackupDamage>();
        await Parallel.ForEachAsync(
            backup.Manifest.Objects,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelObjects, CancellationToken = cancellationToken },
            async (content, token) =>
            {
                if (await ReadAsync(content, check.Begin(content), run, token) is { } fault)
                {
                    lock (faults)
                    {
                        faults.Add(new BackupDamage(backup.Id, content.Key, fault, IsLost: true));
                    }
                }
            });
        if (faults.Count == 0 && check.FindContradiction() is { } contradiction)
        {
            faults.Add(new BackupDamage(backup.Id, layout.Manifest(backup.Id).Value, contradiction, IsLost: true));
        }

        return faults;
    }

    private async Task<string?> ReadAsync(BackupObject content, IContentCheck check, VerificationRun run, CancellationToken cancellationToken)
    {
        try
        {
            await using var source = repository.OpenRead(content, ContentProof.StoredAndContent);
            await ReadingAhead.FeedAsync(
                source,
                bytes =>
                {
                    check.Feed(bytes);
                    run.Read(bytes.Length);
                },
                cancellationToken);
            check.Complete();
            run.Sound(content.StoredBytes);
            return null;
        }
        catch (Exception damage) when (damage is NotRestorableException or InvalidDataException)
        {
            return damage.Message;
        }
    }

    /// <summary>
    /// A proof that cannot be stored costs a second reading some day, and nothing else: whoever may only read the store can verify too. A backup that is damaged
    /// loses the proof that it had, and is marked, so that no later one builds upon it.
    /// </summary>
    private async Task RememberAsync(SealedBackup backup, bool isSound, VerificationRun run, CancellationToken cancellationToken)
    {
        var proof = new BackupProof(
            layout.Source,
            backup.Id.ToString(),
            run.Began,
            BackupRepository.AgentVersion,
            backup.ManifestSha256!,
            [.. backup.Manifest.Objects.Select(o => new BackupProof.ProvenObject(o.Key, o.StoredSha256))]);
        try
        {
            if (!isSound)
            {
                var mark = new BackupDamageMark(layout.Source, backup.Id.ToString(), run.Began, BackupRepository.AgentVersion);
                await repository.Store.DeleteAsync([layout.Proof(backup.Id)], cancellationToken);
                await repository.Documents.ReplaceAsync(layout.Damage(backup.Id), mark, ProofJson.Default.BackupDamageMark, cancellationToken);
                return;
            }

            await repository.Documents.ReplaceAsync(layout.Proof(backup.Id), proof, ProofJson.Default.BackupProof, cancellationToken);
            if (backup.IsKnownDamaged)
            {
                await repository.Store.DeleteAsync([layout.Damage(backup.Id)], cancellationToken);
            }
        }
        catch (ObjectStoreException failure)
        {
            run.Note($"That backup {backup.Id} is {(isSound ? "sound" : "damaged")} could not be remembered: {failure.Message}");
        }
    }
}
