using System.Globalization;
using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Daemon;

/// <summary>
/// Program files are mapped, and the kernel maps more of them than is used: whole folios around each page that start and load touched once. What is let go of stays in
/// the page cache and comes back with a minor fault when it is used again, so an agent at rest has only mapped what it needs at rest.
/// </summary>
internal static partial class MappedPrograms
{
    private const int DontNeed = 4; // MADV_DONTNEED, madvise(2)

    /// <summary>What of files is mapped and in memory; 0 where the kernel does not say.</summary>
    public static long ResidentBytes()
    {
        foreach (var line in ReadLines("/proc/self/status"))
        {
            if (line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is ["RssFile:", var kilobytes, "kB"])
            {
                return long.Parse(kilobytes, CultureInfo.InvariantCulture) << 10;
            }
        }

        return 0;
    }

    /// <summary>
    /// Lets go of every mapping of a file that cannot be written and of which no page differs from the file: there the kernel has nothing to lose
    /// (proc(5), /proc/pid/smaps).
    /// </summary>
    public static void LetGo()
    {
        (nint Start, nuint Bytes)? candidate = null;
        foreach (var line in ReadLines("/proc/self/smaps"))
        {
            if (line.AsSpan(0, line.IndexOf(' ', StringComparison.Ordinal)) is [.., not ':'])
            {
                candidate = ReadOnlyFile(line);
            }
            else if (line.StartsWith("Anonymous:", StringComparison.Ordinal) && candidate is { } mapping)
            {
                if (line.EndsWith(" 0 kB", StringComparison.Ordinal))
                {
                    _ = Advise(mapping.Start, mapping.Bytes, DontNeed);
                }

                candidate = null;
            }
        }
    }

    /// <param name="line"><c>START-END PERMISSIONS OFFSET DEVICE INODE PATH</c>.</param>
    private static (nint Start, nuint Bytes)? ReadOnlyFile(string line)
    {
        var words = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 6 || words[1][1] == 'w' || words[5][0] != '/')
        {
            return null;
        }

        var range = words[0].Split('-');
        var start = nuint.Parse(range[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return ((nint)start, nuint.Parse(range[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) - start);
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception unavailable) when (unavailable is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint start, nuint bytes, int advice);
}
