using System.Text.Json;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes;

/// <summary>A sealed backup and what it says of itself.</summary>
internal sealed record NamespaceBackup(SealedBackup Sealed, BackupDetails Details)
{
    public BackupObject Archive => Sealed.Manifest.Objects.Single(o => o.Name == ArchiveStream.ObjectName);
}

/// <summary>Where this source's things lie in the repository.</summary>
internal static class KubernetesCatalog
{
    public const string Source = "kubernetes";

    public static SnapshotLayout Layout { get; } = new(Source, "kubernetes/kubernetes_backup_", '.');

    public static async Task<BackupListing<NamespaceBackup>> ListAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var backups = await repository.ListBackupsAsync(Layout, cancellationToken);
        var sound = new List<NamespaceBackup>();
        var damaged = backups.Damaged.ToList();
        foreach (var backup in backups)
        {
            try
            {
                sound.Add(Read(backup));
            }
            catch (NotRestorableException damage)
            {
                damaged.Add(new DamagedBackup(backup.Id, $"{Layout.Prefix}{backup.Id}.manifest.json", damage.Message));
            }
        }

        return new BackupListing<NamespaceBackup>(sound, damaged);
    }

    public static NamespaceBackup Read(SealedBackup backup)
    {
        try
        {
            var details = backup.Manifest.Details.Deserialize(BackupJson.Default.BackupDetails) ?? throw new JsonException("null");
            return backup.Manifest.Objects.Count(o => o.Name == ArchiveStream.ObjectName) == 1 ? new NamespaceBackup(backup, details) : throw new JsonException("no archive");
        }
        catch (JsonException)
        {
            throw new NotRestorableException($"The manifest of Kubernetes backup {backup.Id} is damaged: its details cannot be read.");
        }
    }
}
