using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>The directory that a restore writes: what it must be before, and the mark that says that it is not finished.</summary>
internal static class TargetDirectory
{
    /// <summary>Present while a restore is writing. A directory that has it holds nothing but an unfinished restore.</summary>
    public const string InProgress = "nlds-restore-in-progress";

    /// <summary>Room for what a server writes before anybody looks: its first checkpoints and logs.</summary>
    private const double SpaceMargin = 1.05;

    public static string Require(string? directory) => string.IsNullOrWhiteSpace(directory)
        ? throw new UsageException("Say where to restore to: --target-directory DIR. It must be empty or absent.")
        : Path.GetFullPath(directory);

    /// <exception cref="UsageException">Something is in the way.</exception>
    public static void RequireEmpty(string directory, IEnumerable<string> tablespaces)
    {
        foreach (var candidate in tablespaces.Prepend(directory))
        {
            if (File.Exists(candidate))
            {
                throw new UsageException($"'{candidate}' is a file. Name a directory that is empty or absent.");
            }

            if (Directory.Exists(candidate) && !IsUnfinishedRestore(candidate) && Contents(candidate).Any())
            {
                throw new UsageException(
                    $"'{candidate}' is not empty{(File.Exists(Path.Combine(candidate, "postmaster.pid")) ? " and a server may be running in it" : "")}. "
                    + "Nothing was written. Name an empty or absent directory"
                    + (candidate == directory ? "." : $", for a tablespace with --tablespace {candidate}=NEW."));
            }
        }
    }

    public static void RequireSpace(string directory, long bytes)
    {
        var existing = directory;
        while (!Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing) ?? "/";
        }

        var free = new DriveInfo(existing).AvailableFreeSpace;
        if (free < bytes * SpaceMargin)
        {
            throw new SourceException(
                $"'{directory}' has {free / 1_000_000} MB free, the restore needs {(long)(bytes * SpaceMargin) / 1_000_000} MB. Nothing was written. Make room or choose another directory.",
                isPermanent: true);
        }
    }

    public static bool IsUnfinishedRestore(string directory) => File.Exists(Path.Combine(directory, InProgress));

    /// <summary>A fresh volume's lost+found is nobody's data.</summary>
    public static IEnumerable<string> Contents(string directory) =>
        Directory.EnumerateFileSystemEntries(directory).Where(entry => Path.GetFileName(entry) != "lost+found");
}
