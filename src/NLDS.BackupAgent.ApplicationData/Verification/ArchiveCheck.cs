using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Cache;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.ApplicationData.Verification;

/// <summary>A backup's archive is tar, has the files that the manifest names with their hashes, and each is a document with as many entries as it should have.</summary>
internal sealed class ArchiveCheck(SealedBackup backup) : IBackupCheck
{
    public IContentCheck Begin(BackupObject content) => new Reading(backup);

    public string? FindContradiction() => backup.Manifest.Objects is [{ Name: ArchiveDetails.ObjectName }] ? null : "names another object than one archive";

    public void Dispose()
    {
    }

    /// <summary>Throws <see cref="InvalidDataException"/> for a document that is none.</summary>
    public static void RequireDocument(ArchivedSet set, ArchivedFile file, ReadOnlySpan<byte> bytes)
    {
        var found = set.IsCache ? CacheDocument.Read(bytes).Count : new TableDocument(set).Count(bytes);
        if (found != file.Count)
        {
            throw new InvalidDataException($"'{file.Name}' has {found} entries instead of {file.Count}");
        }
    }

    private sealed class Reading : IContentCheck
    {
        private readonly ArchiveScanner scanner;

        public Reading(SealedBackup backup)
        {
            var manifest = ArchiveDetails.Read(backup);
            var owners = manifest.DataSets.SelectMany(set => set.Files.Select(file => (file, set))).ToDictionary(pair => pair.file.Name, pair => pair.set);
            scanner = new ArchiveScanner(manifest, (file, bytes) => RequireDocument(owners[file.Name], file, bytes));
        }

        public void Feed(ReadOnlySpan<byte> bytes) => scanner.Feed(bytes);

        public void Complete() => scanner.Complete();
    }
}
