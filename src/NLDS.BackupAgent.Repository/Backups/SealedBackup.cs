namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>A backup whose manifest is durable.</summary>
public sealed record SealedBackup(BackupId Id, BackupManifest Manifest)
{
    public long ContentBytes => Manifest.Objects.Sum(o => o.ContentBytes);

    public long StoredBytes => Manifest.Objects.Sum(o => o.StoredBytes);
}
