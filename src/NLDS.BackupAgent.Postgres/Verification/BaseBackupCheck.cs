using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>
/// A base backup's archives are tar, and hold each file that the server's own manifest lists with its size and CRC-32C, and no other; the files of an incremental one that
/// come in blocks can be put together.
/// </summary>
/// <param name="incremental">Null for a full backup.</param>
internal sealed class BaseBackupCheck(BaseBackupDetails.IncrementalPart? incremental) : IBackupCheck
{
    private readonly Lock gate = new();
    private readonly List<FileDigest> archives = [];
    private ServerManifest? manifest;

    public IContentCheck Begin(BackupObject content)
    {
        lock (gate)
        {
            if (content.Name == BaseBackupTaker.ServerManifestName)
            {
                return manifest = new ServerManifest();
            }

            var files = new FileDigest();
            archives.Add(files);
            var oid = ArchiveFiles.TablespaceOf(content.Name);
            ITarVisitor visitor = new ArchiveFiles(files, oid);
            return new ArchiveCheck(new TarScanner(incremental is null ? visitor : new WholeSize(visitor, oid, incremental.BlockBytes)));
        }
    }

    public string? FindContradiction()
    {
        if (manifest is null)
        {
            return $"names no {BaseBackupTaker.ServerManifestName}";
        }

        var all = new FileDigest();
        archives.ForEach(all.Add);
        return manifest.Files.Equals(all) ? null : $"the {all.Files} files in its archives are not the {manifest.Files.Files} of the server's manifest";
    }

    public void Dispose() => manifest?.Dispose();

    private sealed class ArchiveCheck(TarScanner tar) : IContentCheck
    {
        public void Feed(ReadOnlySpan<byte> bytes) => tar.Feed(bytes);

        public void Complete() => tar.RequireComplete();
    }
}
