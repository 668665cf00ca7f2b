namespace NLDS.BackupAgent.Testing.Crashes;

/// <summary>What a program that was killed leaves running: each server works in its own data directory.</summary>
public static class LeftProcesses
{
    /// <summary>Returns when all that worked in a directory or below it have ended by themselves.</summary>
    public static Task EndedWithinAsync(string directory) => Eventually.TrueAsync(() => !Within(directory).Any(), $"nothing works in {directory} any more");

    private static IEnumerable<int> Within(string directory) => Directory.EnumerateDirectories("/proc")
        .Select(path => (Path: path, Process: int.TryParse(Path.GetFileName(path), out var process) ? process : 0))
        .Where(entry => entry.Process > 0 && WorkingDirectory(entry.Path) is { } place && (place + '/').StartsWith(directory + '/', StringComparison.Ordinal))
        .Select(entry => entry.Process);

    private static string? WorkingDirectory(string process)
    {
        try
        {
            return Directory.ResolveLinkTarget(Path.Combine(process, "cwd"), returnFinalTarget: false)?.FullName;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
