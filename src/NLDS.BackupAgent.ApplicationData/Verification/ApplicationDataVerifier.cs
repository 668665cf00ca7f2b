using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.ApplicationData.Verification;

/// <summary>Reads every archive back, with what lies beside it.</summary>
internal sealed class ApplicationDataVerifier(BackupRepository repository, TimeProvider clock)
{
    private static readonly string[] OtherDocuments = ["keys/", "journal/", $"{ArchiveDetails.Source}/"];

    public async Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.RequireKeysAsync(cancellationToken);
        await repository.RequireAsync(cancellationToken);
        var run = new VerificationRun(ArchiveDetails.Source, scope, progress, clock);
        var backups = await new BackupVerifier(repository, ArchiveDetails.Layout, ArchiveDetails.ObjectName).VerifyAsync(backup => new ArchiveCheck(backup), run, cancellationToken);
        foreach (var damage in backups.Damage)
        {
            run.Add(new DamageFinding(
                damage.Subject, damage.What, damage.IsLost ? $"application data backup {damage.Id} cannot be restored" : $"none: application data backup {damage.Id} can be restored all the same"));
        }

        var documents = new DocumentVerifier(repository);
        await documents.RequireKeysAsync(backups.All, run, cancellationToken);
        await documents.VerifyAsync(OtherDocuments, run, cancellationToken);
        return run.Report();
    }
}
