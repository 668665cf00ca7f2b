using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>Accounts for every document beside the manifests: one that is there is sound and belongs there, and one that others tell of is there.</summary>
internal sealed class BackupAccounts(BackupRepository repository, SnapshotLayout layout, string lastObject)
{
    private const int ParallelReads = 8;

    /// <summary>From its last object to its manifest a session waits for the log, and gives up when that does not move for minutes.</summary>
    private static readonly TimeSpan LongestSealing = TimeSpan.FromMinutes(30);

    public async Task<IReadOnlyList<BackupDamage>> FindFaultsAsync(
        IReadOnlyList<BackupFiles> folders, BackupListing<SealedBackup> listing, VerificationRun run, CancellationToken cancellationToken)
    {
        var faults = new List<BackupDamage>[folders.Count];
        var sound = listing.ToDictionary(backup => backup.Id);
        await Parallel.ForAsync(
            0,
            folders.Count,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken },
            async (index, token) =>
            {
                faults[index] = [];
                await foreach (var fault in FindFaultsAsync(folders[index], sound.GetValueOrDefault(folders[index].Id), run, token))
                {
                    faults[index].Add(fault);
                }
            });
        return [.. faults.SelectMany(found => found)];
    }

    private async IAsyncEnumerable<BackupDamage> FindFaultsAsync(
        BackupFiles folder, SealedBackup? backup, VerificationRun run, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (folder.Has(SnapshotLayout.TombstoneName) && !folder.Has(SnapshotLayout.ManifestName))
        {
            // It is being removed, or was; what is left of it goes with the next sweep.
            yield break;
        }

        if (!folder.Has(SnapshotLayout.ManifestName))
        {
            if (FindManifestLost(folder) is { } lost)
            {
                yield return lost;
            }

            yield break;
        }

        if (!folder.Has(SnapshotLayout.ClaimName))
        {
            yield return new BackupDamage(folder.Id, layout.Claim(folder.Id).Value, "is missing from the repository", IsLost: false);
        }

        foreach (var (name, entry) in folder.ByName.Where(file => file.Key is not SnapshotLayout.ManifestName && IsDocument(file.Key, backup)))
        {
            if (await FindFaultAsync(folder, name, entry, backup, cancellationToken) is { } fault)
            {
                yield return new BackupDamage(folder.Id, entry.Key.Value, fault, IsLost: false);
            }
            else
            {
                run.Sound(entry.Bytes);
            }
        }
    }

    /// <summary>
    /// A session that died leaves its claim and perhaps objects, which is no damage. One that came to its last object sealed the backup, unless it is still waiting
    /// for the log that the backup needs.
    /// </summary>
    private BackupDamage? FindManifestLost(BackupFiles folder)
    {
        var sealing = repository.Clock.GetUtcNow() - LongestSealing;
        var witness = folder.ByName.FirstOrDefault(file => file.Key is SnapshotLayout.ProofName or SnapshotLayout.HoldName or SnapshotLayout.UnchangedName
            || ((file.Key == lastObject || file.Key.StartsWith(lastObject + ".", StringComparison.Ordinal)) && file.Value.LastModified < sealing)).Key;
        return witness is null
            ? null
            : new BackupDamage(
                folder.Id, layout.Manifest(folder.Id).Value, $"is missing from the repository, although '{layout.Key(folder.Id, witness)}' is there", IsLost: true);
    }

    private static bool IsDocument(string name, SealedBackup? backup) =>
        name.EndsWith(".json", StringComparison.Ordinal) && backup?.Manifest.Objects.Any(o => o.Key.EndsWith(name, StringComparison.Ordinal)) != true;

    private async Task<string?> FindFaultAsync(BackupFiles folder, string name, ObjectInfo entry, SealedBackup? backup, CancellationToken cancellationToken)
    {
        try
        {
            switch (name)
            {
                case SnapshotLayout.ClaimName:
                    var claim = await repository.Documents.ReadAsync(entry.Key, BackupJson.Default.BackupClaim, cancellationToken);
                    return claim.Source == layout.Source && claim.Id == folder.Id.ToString() ? null : "is the claim of another backup";
                case SnapshotLayout.ProofName:
                    var proof = await repository.Catalog.ReadProofAsync(folder, cancellationToken);
                    return proof is null || backup is null || BackupCatalog.IsProofOf(proof, backup) ? null : "is not the proof of this backup";
                default:
                    var other = await repository.Documents.RequireSoundAsync(entry.Key, cancellationToken);
                    return other.TryGetProperty("id", out var id) && id.ToString() != folder.Id.ToString() ? "belongs to another backup" : null;
            }
        }
        catch (NotRestorableException damage)
        {
            return damage.Message;
        }
        catch (ObjectNotFoundException)
        {
            // Taken back since it was listed: a hold that was released, a backup that was removed.
            return null;
        }
    }
}
