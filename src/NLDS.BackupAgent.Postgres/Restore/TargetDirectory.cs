using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>The directory that a restore writes: what it must be before, and the mark that says that it is not finished.</summary>
internal static class TargetDirectory
{
    /// <summary>Present while a restore is writing. A directory that has it holds nothing but an unfinished restore.</summary>
    public const string InProgress = "nlds-restore-in-progress";

    /// <summary>What a fresh volume has in it; nobody's data.</summary>
    public const string LostAndFound = "lost+found";

    public static string Require(string? directory) => string.IsNullOrWhiteSpace(directory)
        ? throw new UsageException("Say where to restore to: --target-directory DIR. It must be empty or absent.")
        : Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));

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

    public static DirectoryContent Look(string directory)
    {
        if (!Directory.Exists(directory))
        {
            return File.Exists(directory) ? new(DirectoryKind.Strange, "a file") : new(DirectoryKind.Empty, "nothing: it does not exist");
        }

        if (IsUnfinishedRestore(directory))
        {
            return new(DirectoryKind.Unfinished, "a restore of this program that did not come to its end");
        }

        var version = Path.Combine(directory, "PG_VERSION");
        return !Contents(directory).Any() ? new(DirectoryKind.Empty, "nothing")
            : File.Exists(version) && File.Exists(Path.Combine(directory, Unpacker.ControlFile)) ? new(DirectoryKind.Data, $"the data of PostgreSQL {File.ReadAllText(version).Trim()}")
            : new(DirectoryKind.Strange, $"files that are no whole data directory of PostgreSQL ({Shown(directory)})");
    }

    /// <summary>A few names, so that somebody recognises whose they are.</summary>
    private static string Shown(string directory)
    {
        const int shown = 4;
        List<string> names = [.. Contents(directory).Take(shown + 1).Select(entry => Path.GetFileName(entry)).Order(StringComparer.Ordinal)];
        return string.Join(", ", names.Take(shown)) + (names.Count > shown ? ", …" : "");
    }

    /// <summary>
    /// With its mark and without the file that lets a server start. Where both are, the restore was ended between its last two steps: a server may have run there since.
    /// </summary>
    public static bool IsUnfinishedRestore(string directory) => File.Exists(Path.Combine(directory, InProgress)) && !File.Exists(Path.Combine(directory, Unpacker.ControlFile));

    /// <summary>
    /// Removes what an unfinished restore left. The mark stays: until the end it says whose leavings these are, should this be interrupted too.
    /// </summary>
    public static void Clear(string directory)
    {
        foreach (var entry in Contents(directory).Where(entry => Path.GetFileName(entry) != InProgress).ToList())
        {
            if (Directory.Exists(entry) && new DirectoryInfo(entry).LinkTarget is null)
            {
                Directory.Delete(entry, recursive: true);
            }
            else
            {
                File.Delete(entry);
            }
        }
    }

    public static IEnumerable<string> Contents(string directory) =>
        Directory.EnumerateFileSystemEntries(directory).Where(entry => Path.GetFileName(entry) != LostAndFound);
}
