using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>Reads the documents that belong to no backup and no log: each proves itself.</summary>
public sealed class DocumentVerifier(BackupRepository repository)
{
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
