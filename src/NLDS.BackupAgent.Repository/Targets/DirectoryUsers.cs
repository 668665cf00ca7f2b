namespace NLDS.BackupAgent.Repository.Targets;

/// <summary>Who works in a directory now. A server's process has its data directory as its working directory, PostgreSQL and Redis alike.</summary>
public static class DirectoryUsers
{
    /// <summary>One such process as <c>4711 (postgres)</c>, or null when none is seen. Those of other containers cannot be seen.</summary>
    public static string? Find(string directory)
    {
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), out var process) && process != Environment.ProcessId && WorksIn(entry) == directory)
            {
                return $"{process} ({NameOf(entry)})";
            }
        }

        return null;
    }

    /// <summary>All that work in a directory or below it.</summary>
    public static IReadOnlyList<int> Within(string directory) =>
    [
        .. Directory.EnumerateDirectories("/proc")
            .Where(entry => int.TryParse(Path.GetFileName(entry), out var process) && process != Environment.ProcessId
                && WorksIn(entry) is { } place && (place + '/').StartsWith(directory + '/', StringComparison.Ordinal))
            .Select(entry => int.Parse(Path.GetFileName(entry), System.Globalization.CultureInfo.InvariantCulture)),
    ];

    private static string? WorksIn(string process)
    {
        try
        {
            return new FileInfo(Path.Combine(process, "cwd")).LinkTarget;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string NameOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "comm")).Trim();
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "ended";
        }
    }
}
