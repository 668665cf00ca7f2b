using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>
/// Reads what backups there are. A manifest never changes, so each is read once in a process's life, for as long as the listing shows the same object; the
/// daemon looks every few minutes, and a year's backups are hundreds.
/// </summary>
internal sealed class BackupCatalog(DocumentStore documents)
{
    /// <summary>Documents are kilobytes: it is round trips that take time.</summary>
    private const int ParallelReads = 8;

    private readonly SeenObjects<SealedBackup> manifests = new();
    private readonly SeenObjects<BackupProof?> proofs = new();
    private readonly SeenObjects<UnchangedSince?> unchanged = new();

    /// <param name="anew">Reads every document from the store, whatever was read before, and believes of no backup that it is damaged: for whoever reads them back.</param>
    public async Task<BackupListing<SealedBackup>> ListAsync(
        SnapshotLayout layout, IReadOnlyList<BackupFiles> folders, bool anew, CancellationToken cancellationToken)
    {
        if (anew)
        {
            manifests.Forget(layout.Prefix, []);
            proofs.Forget(layout.Prefix, []);
            unchanged.Forget(layout.Prefix, []);
        }

        var read = new (SealedBackup? Sound, DamagedBackup? Damaged)[folders.Count];
        await Parallel.ForAsync(
            0,
            folders.Count,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken },
            async (index, token) => read[index] = await ReadAsync(layout, folders[index], token));
        manifests.Forget(layout.Prefix, folders.SelectMany(folder => folder.ByName.Values));
        proofs.Forget(layout.Prefix, folders.SelectMany(folder => folder.ByName.Values));
        unchanged.Forget(layout.Prefix, folders.SelectMany(folder => folder.ByName.Values));
        return BackupChains.Prove(layout, [.. read.Select(r => r.Sound).OfType<SealedBackup>()], [.. read.Select(r => r.Damaged).OfType<DamagedBackup>()], believesMarks: !anew);
    }

    /// <summary>The proof beside a manifest, whatever it is worth; null when none is listed.</summary>
    /// <exception cref="NotRestorableException">It is damaged.</exception>
    public async Task<BackupProof?> ReadProofAsync(BackupFiles folder, CancellationToken cancellationToken) =>
        folder.ByName.TryGetValue(SnapshotLayout.ProofName, out var entry)
            ? await proofs.GetAsync(entry, () => documents.FindRegisterAsync(entry.Key, ProofJson.Default.BackupProof, cancellationToken))
            : null;

    /// <summary>Is this the proof of that backup?</summary>
    public static bool IsProofOf(BackupProof proof, SealedBackup backup) =>
        proof.Id == backup.Id.ToString() && proof.Source == backup.Manifest.Source && proof.ManifestSha256 == backup.ManifestSha256;

    private async Task<(SealedBackup? Sound, DamagedBackup? Damaged)> ReadAsync(SnapshotLayout layout, BackupFiles folder, CancellationToken cancellationToken)
    {
        if (!folder.ByName.TryGetValue(SnapshotLayout.ManifestName, out var entry))
        {
            return default;
        }

        try
        {
            var backup = await manifests.GetAsync(entry, () => ReadManifestAsync(entry.Key, folder.Id, layout, cancellationToken));
            return (backup with
            {
                VerifiedAt = await VerifiedAtAsync(backup, folder, cancellationToken),
                UnchangedAt = await UnchangedAtAsync(folder, cancellationToken),
                IsHeld = folder.Has(SnapshotLayout.HoldName),
                IsKnownDamaged = folder.Has(SnapshotLayout.DamageName),
            }, null);
        }
        catch (NotRestorableException damage)
        {
            return (null, new DamagedBackup(folder.Id, entry.Key.Value, damage.Message));
        }
        catch (ObjectNotFoundException)
        {
            // Removed since it was listed.
            return default;
        }
    }

    /// <summary>A proof that is damaged proves nothing; a verification says so and writes it anew.</summary>
    private async Task<DateTimeOffset?> VerifiedAtAsync(SealedBackup backup, BackupFiles folder, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadProofAsync(folder, cancellationToken) is { } proof && IsProofOf(proof, backup) ? proof.Verified : null;
        }
        catch (Exception absent) when (absent is NotRestorableException or ObjectNotFoundException)
        {
            return null;
        }
    }

    /// <summary>One that is damaged says nothing; a verification names it, and the next backup writes it anew.</summary>
    private async Task<DateTimeOffset?> UnchangedAtAsync(BackupFiles folder, CancellationToken cancellationToken)
    {
        try
        {
            return folder.ByName.TryGetValue(SnapshotLayout.UnchangedName, out var entry)
                && await unchanged.GetAsync(entry, () => documents.FindRegisterAsync(entry.Key, BackupJson.Default.UnchangedSince, cancellationToken)) is { } since
                && since.Id == folder.Id.ToString()
                ? since.CheckedAt
                : null;
        }
        catch (Exception absent) when (absent is NotRestorableException or ObjectNotFoundException)
        {
            return null;
        }
    }

    private async Task<SealedBackup> ReadManifestAsync(ObjectKey key, BackupId id, SnapshotLayout layout, CancellationToken cancellationToken)
    {
        var (manifest, sha256) = await documents.ReadWithHashAsync(key, BackupJson.Default.BackupManifest, cancellationToken);
        if (manifest.Format > BackupManifest.CurrentFormat)
        {
            throw new NotRestorableException(
                $"The manifest '{key}' has format {manifest.Format}; this version reads up to {BackupManifest.CurrentFormat}. Use a newer version.");
        }

        return manifest.Id == id.ToString() && manifest.Source == layout.Source && manifest.Objects.All(o => o.IsWhole)
            ? new SealedBackup(id, manifest) { ManifestSha256 = sha256 }
            : throw new NotRestorableException($"The manifest '{key}' is damaged: it describes another backup.");
    }
}
