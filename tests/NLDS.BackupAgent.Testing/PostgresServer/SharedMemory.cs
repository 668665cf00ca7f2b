using System.Globalization;
using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Testing;

/// <summary>What a server that was killed, and never started again, leaves to the machine.</summary>
internal static partial class SharedMemory
{
    private const int Remove = 0; // IPC_RMID

    /// <summary>The line of postmaster.pid that has the key and the id of the segment (LOCK_FILE_LINE_SHMEM_KEY in pidfile.h).</summary>
    private const int SegmentLine = 7;

    /// <summary>Removes the segment by which a server sees that another one runs in its directory. Nothing where a server ended well.</summary>
    public static void RemoveOf(string dataDirectory)
    {
        var lockFile = Path.Combine(dataDirectory, "postmaster.pid");
        if (File.Exists(lockFile)
            && File.ReadLines(lockFile).ElementAtOrDefault(SegmentLine - 1)?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var id])
        {
            _ = Control(int.Parse(id, CultureInfo.InvariantCulture), Remove, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "shmctl")]
    private static partial int Control(int segment, int command, nint buffer);
}
