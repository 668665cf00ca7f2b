using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Kubernetes.Verification;

/// <summary>Reads every archive back: against its manifest, as tar, and against its own index.</summary>
internal sealed class KubernetesVerifier(BackupRepository repository, TimeProvider clock)
{
    public async Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        await repository.RequireKeysAsync(cancellationToken);
        var run = new VerificationRun(KubernetesCatalog.Source, scope, progress, clock);
        var backups = await new BackupVerifier(repository, KubernetesCatalog.Layout, ArchiveStream.ObjectName).VerifyAsync(_ => new ArchiveCheck(), run, cancellationToken);
        foreach (var damage in backups.Damage)
        {
            run.Add(new DamageFinding(damage.Subject, damage.What, damage.IsLost ? $"backup {damage.Id} cannot be restored" : "nothing: the backup can be restored all the same"));
        }

        foreach (var backup in backups.InScope)
        {
            try
            {
                KubernetesCatalog.Read(backup);
            }
            catch (NotRestorableException damage)
            {
                run.Add(new DamageFinding($"{KubernetesCatalog.Layout.Prefix}{backup.Id}.manifest.json", damage.Message, $"backup {backup.Id} cannot be restored"));
            }
        }

        return run.Report();
    }
}
