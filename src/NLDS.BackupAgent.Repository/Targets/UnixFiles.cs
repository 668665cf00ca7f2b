using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NLDS.BackupAgent.Repository.Targets;

/// <summary>What a restore needs of the system beyond .NET: owners, hard links, early write-back, one flush for a million files, signals.</summary>
public static partial class UnixFiles
{
    private const int ReadDirectory = 0x10000; // O_RDONLY | O_DIRECTORY on Linux
    private const uint StartWriting = 2; // SYNC_FILE_RANGE_WRITE
    private const int AtCurrentDirectory = -100; // AT_FDCWD
    private const uint StatXBasics = 0x7ff;
    private const int StatXBytes = 256;

    /// <summary>Whether this process may give files away.</summary>
    public static bool IsRoot { get; } = EffectiveUserId() == 0;

    /// <summary>Gives a file, directory or link to another owner.</summary>
    public static void ChangeOwner(string path, int user, int group)
    {
        if (LinkChangeOwner(path, user, group) != 0)
        {
            throw Failed($"chown {user}:{group} '{path}'");
        }
    }

    /// <summary>A second name for a file.</summary>
    public static void Link(string existing, string name)
    {
        if (HardLink(existing, name) != 0)
        {
            throw Failed($"link '{name}'");
        }
    }

    /// <summary>The numbers of the user and the group that a file or directory belongs to.</summary>
    public static (int User, int Group) Owner(string path)
    {
        Span<byte> status = stackalloc byte[StatXBytes];
        Status(path, status);

        // struct statx: stx_uid at 20, stx_gid at 24 (linux/stat.h), the same on every architecture.
        return (MemoryMarshal.Read<int>(status[20..]), MemoryMarshal.Read<int>(status[24..]));
    }

    /// <summary>Something that is the same for all directories of one file system.</summary>
    public static string FileSystem(string path)
    {
        Span<byte> status = stackalloc byte[StatXBytes];
        Status(path, status);

        // stx_dev_major and stx_dev_minor.
        return $"{MemoryMarshal.Read<uint>(status[136..])}:{MemoryMarshal.Read<uint>(status[140..])}";
    }

    /// <summary>Whether both are names of one file. False when one of them is missing.</summary>
    public static bool AreOne(string path, string other)
    {
        if (!File.Exists(path) || !File.Exists(other))
        {
            return false;
        }

        Span<byte> status = stackalloc byte[StatXBytes], others = stackalloc byte[StatXBytes];
        Status(path, status);
        Status(other, others);

        // stx_ino at 32, the device at 136.
        return status.Slice(32, sizeof(ulong)).SequenceEqual(others.Slice(32, sizeof(ulong))) && status.Slice(136, sizeof(ulong)).SequenceEqual(others.Slice(136, sizeof(ulong)));
    }

    private static void Status(string path, Span<byte> status)
    {
        if (StatX(AtCurrentDirectory, path, 0, StatXBasics, ref MemoryMarshal.GetReference(status)) != 0)
        {
            throw Failed($"stat '{path}'");
        }
    }

    /// <summary>Lets the kernel begin to write a file's bytes back, so that the flush at the end has little left to do.</summary>
    public static void BeginWriteBack(SafeFileHandle file, long offset, long bytes) => _ = SyncFileRange(file, offset, bytes, StartWriting);

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

    /// <summary>Sends a signal to a process; one that is gone is no error.</summary>
    public static void Signal(int process, int signal) => _ = Kill(process, signal);

    private static IOException Failed(string what)
    {
        var error = new Win32Exception(Marshal.GetLastPInvokeError());
        return new IOException($"Could not {what}: {error.Message}.");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int HardLink(string existing, string name);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkChangeOwner(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte status);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFileSystem(int descriptor);

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncFileRange(SafeFileHandle file, long offset, long bytes, uint flags);
}
