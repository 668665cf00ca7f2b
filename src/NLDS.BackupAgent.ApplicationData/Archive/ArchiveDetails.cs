using System.Text.Json;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>Where this source's backups lie, and how their manifests are read.</summary>
internal static class ArchiveDetails
{
    public const string Source = "application-data";

    /// <summary>The archive, before the codec's suffix: <c>nlds_data_backup_20261123_020000.tar.gz</c>.</summary>
    public const string ObjectName = "tar";

    public static SnapshotLayout Layout { get; } = new(Source, "nlds/application_data/nlds_data_backup_", '.');

    public static string FolderOf(BackupId id) => $"nlds_backup_{id}";

    public static string NameOfManifest(BackupId id) => $"{Layout.Prefix}{id}.manifest.json";

    /// <summary>As it stands in the archive.</summary>
    public static byte[] Bytes(ArchiveManifest manifest) => JsonSerializer.SerializeToUtf8Bytes(manifest, ArchiveJson.Default.ArchiveManifest);

    /// <exception cref="NotRestorableException">The manifest's details are damaged.</exception>
    public static ArchiveManifest Read(SealedBackup backup)
    {
        try
        {
            var manifest = backup.Manifest.Details.Deserialize(ArchiveJson.Default.ArchiveManifest) ?? throw new JsonException("null");
            return manifest.BackupId == FolderOf(backup.Id) && backup.Manifest.Objects is [{ Name: ObjectName }] && manifest.IsSound
                ? manifest
                : throw new JsonException("of another backup");
        }
        catch (Exception damage) when (damage is JsonException or ArgumentException)
        {
            throw new NotRestorableException($"The manifest of application data backup {backup.Id} is damaged: its details cannot be read.", damage);
        }
    }

    public static BackupObject ArchiveOf(SealedBackup backup) => backup.Manifest.Objects[0];
}
