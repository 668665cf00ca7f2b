using System.Runtime.InteropServices;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Daemon;

/// <summary>
/// The agent shares a pod with a database and works hard for minutes a day: what the work took is given back when it ends, not kept for the next time.
/// </summary>
internal static partial class ProcessMemory
{
    private const int MmapThreshold = -3; // M_MMAP_THRESHOLD, malloc.h
    private const int ArenaMaximum = -8; // M_ARENA_MAX

    /// <summary>Above this, glibc maps a block by itself and unmaps it when it is freed. Left alone, it raises the threshold to the largest block ever freed.</summary>
    private const int MappedAlone = 256 << 10;

    public static void Configure()
    {
        try
        {
            _ = SetMallocOption(MmapThreshold, MappedAlone);
            _ = SetMallocOption(ArenaMaximum, 2);
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library than glibc; its allocator needs no such advice.
        }
    }

    /// <summary>Takes tens of milliseconds; for the end of a long piece of work.</summary>
    public static void GiveBack()
    {
        PartBuffers.Shared.Trim();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        try
        {
            _ = TrimMalloc(0);
        }
        catch (EntryPointNotFoundException)
        {
            // As above.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetMallocOption(int option, int value);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimMalloc(nuint keep);
}
