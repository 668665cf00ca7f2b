using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>Reads the documents that belong to no backup and no log: each proves itself.</summary>
public sealed class DocumentVerifier(BackupRepository repository)
{
    /// <summary>Each key that a backup needs is written down among the keys; it is what keeps a writer that lost its settings from going on without encryption.</summary>
    public async Task RequireKeysAsync(IEnumerable<SealedBackup> backups, VerificationRun run, CancellationToken cancellationToken)
    {
        foreach (var id in backups.SelectMany(backup => backup.Manifest.Objects).Select(content => content.KeyId).OfType<string>().Distinct())
        {
            if (await repository.Store.HeadAsync(KeyDocument.Name(id), cancellationToken) is null)
            {
                run.Add(new DamageFinding(
                    KeyDocument.Name(id).Value,
                    "is missing from the repository, although backups were encrypted with this key",
                    "no restore with the key needs it; a writer without the key would not be refused any more"));
            }
        }
    }

    /// <param name="folders">Prefixes of keys: <c>journal/</c>, <c>postgres/lease/</c>. What is not there need not be.</param>
    public async Task VerifyAsync(IEnumerable<string> folders, VerificationRun run, CancellationToken cancellationToken)
    {
        foreach (var folder in folders)
        {
            await foreach (var entry in repository.Store.ListAsync(folder, null, cancellationToken))
            {
                try
                {
                    await repository.Documents.RequireSoundAsync(entry.Key, cancellationToken);
                    run.Sound(entry.Bytes);
                }
                catch (NotRestorableException damage)
                {
                    run.Add(new DamageFinding(entry.Key.Value, damage.Message, "no restore needs it"));
                }
                catch (ObjectNotFoundException)
                {
                    // Registers come and go.
                }
            }
        }
    }
}
