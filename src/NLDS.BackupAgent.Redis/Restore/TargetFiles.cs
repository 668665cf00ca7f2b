using System.ComponentModel;
using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>What a restore needs of the file system beyond .NET: hard links, owners, and one flush for everything.</summary>
internal static partial class TargetFiles
{
    private const int ReadDirectory = 0x10000; // O_RDONLY | O_DIRECTORY on Linux
    private const int AtCurrentDirectory = -100;
    private const uint StatXBasics = 0x7ff;
    private const int StatXBytes = 256;

    /// <summary>A second name for a file. redis-server replaces RDB files by renaming and never writes into one, so two names may share it.</summary>
    public static void Link(string existing, string name)
    {
        if (HardLink(existing, name) != 0)
        {
            throw Failed($"link '{name}'");
        }
    }

    /// <summary>Run by root into a directory of an ordinary user, a restore gives that user what it wrote.</summary>
    public static void GiveToOwnerOf(string directory)
    {
        if (EffectiveUserId() != 0)
        {
            return;
        }

        Span<byte> status = stackalloc byte[StatXBytes];
        if (StatX(AtCurrentDirectory, directory, 0, StatXBasics, ref MemoryMarshal.GetReference(status)) != 0)
        {
            throw Failed($"stat '{directory}'");
        }

        // struct statx: stx_uid at 20, stx_gid at 24 (linux/stat.h), the same on every architecture.
        var (user, group) = (MemoryMarshal.Read<int>(status[20..]), MemoryMarshal.Read<int>(status[24..]));
        foreach (var entry in user == 0 ? [] : Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories))
        {
            if (ChangeOwner(entry, user, group) != 0)
            {
                throw Failed($"chown {user}:{group} '{entry}'");
            }
        }
    }

    /// <summary>Makes everything durable that was written to the file system of a directory.</summary>
    public static void FlushFileSystem(string directory)
    {
        var descriptor = Open(directory, ReadDirectory);
        if (descriptor < 0)
        {
            throw Failed($"open '{directory}'");
        }

        try
        {
            if (SyncFileSystem(descriptor) != 0)
            {
                throw Failed($"flush the file system of '{directory}'");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    private static IOException Failed(string what)
    {
        var error = new Win32Exception(Marshal.GetLastPInvokeError());
        return new IOException($"Could not {what}: {error.Message}.");
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int HardLink(string existing, string name);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte status);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFileSystem(int descriptor);
}
