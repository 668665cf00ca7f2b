using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.WalFetch;

/// <summary>Folders that nobody else can put anything into.</summary>
internal static partial class PrivateDirectory
{
    private const int AtCurrentDirectory = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS
    private const int StatXBytes = 256;
    private const int TypeBits = 0xf000; // S_IFMT
    private const int DirectoryType = 0x4000; // S_IFDIR
    private const int OthersBits = 0x3f; // S_IRWXG | S_IRWXO

    /// <summary>Whose folders these are.</summary>
    public static uint User => EffectiveUserId();

    /// <summary>Whether there is a folder of this very name, no link, that belongs to the caller and that the group and others can do nothing with.</summary>
    public static bool Exists(string path)
    {
        // struct statx: stx_uid at 20, stx_mode at 28 (linux/stat.h), the same on every architecture.
        Span<byte> status = stackalloc byte[StatXBytes];
        if (StatX(AtCurrentDirectory, path, NoFollow, BasicStats, ref MemoryMarshal.GetReference(status)) != 0)
        {
            return false;
        }

        var mode = MemoryMarshal.Read<ushort>(status[28..]);
        return (mode & TypeBits) == DirectoryType && (mode & OthersBits) == 0 && MemoryMarshal.Read<uint>(status[20..]) == User;
    }

    /// <summary>Makes it, unless something of this name is there already.</summary>
    public static void Create(string path) =>
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte status);
}
