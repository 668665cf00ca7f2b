using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>Whether the file systems that a restore writes to have room for it.</summary>
/// <param name="look">A file system's name and its free bytes, for a directory that exists.</param>
internal sealed class TargetSpace(Func<string, (string FileSystem, long FreeBytes)> look)
{
    /// <summary>Room for what a server writes before anybody looks: its first checkpoints and logs.</summary>
    private const double Margin = 1.05;

    /// <summary>As this machine has it.</summary>
    public static TargetSpace OfThisMachine { get; } = new(directory => (UnixFiles.FileSystem(directory), new DriveInfo(directory).AvailableFreeSpace));

    /// <summary>
    /// What goes where: each archive into its directory, the log into the data directory. Of a chain the most that any of its backups takes once it is whole, because
    /// each is unpacked over the one before.
    /// </summary>
    public static IReadOnlyList<(string Directory, long Bytes)> Needs(
        BaseBackup backup, string directory, IReadOnlyDictionary<string, string> tablespaces, long walBytes) =>
    [
        (directory, walBytes),
        .. backup.Chain
            .SelectMany(b => b.Sealed.Manifest.Objects.Select(o => (Archive: o, Backup: b)))
            .Where(part => part.Archive.Name != BaseBackupTaker.ServerManifestName)
            .GroupBy(part => ArchiveFiles.TablespaceOf(part.Archive.Name))
            .Where(archives => archives.Key is null || tablespaces.ContainsKey(archives.Key))
            .Select(archives => (archives.Key is null ? directory : tablespaces[archives.Key], archives.Max(part => part.Backup.RestoredBytes(part.Archive)))),
    ];

    /// <exception cref="SourceException">There is too little.</exception>
    public void Require(IReadOnlyList<(string Directory, long Bytes)> needs)
    {
        foreach (var shared in needs.Select(n => (n.Directory, n.Bytes, Found: look(Existing(n.Directory)))).GroupBy(n => n.Found.FileSystem))
        {
            var (directory, _, (_, free)) = shared.First();
            var needed = (long)(shared.Sum(n => n.Bytes) * Margin);
            if (free < needed)
            {
                throw new SourceException(
                    $"'{directory}' has {free / 1_000_000} MB free, the restore needs {needed / 1_000_000} MB there. Nothing was written. Make room or choose another directory.",
                    isPermanent: true);
            }
        }
    }

    private static string Existing(string directory)
    {
        var existing = directory;
        while (!Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing) ?? "/";
        }

        return existing;
    }
}
