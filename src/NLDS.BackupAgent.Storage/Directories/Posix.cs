using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>
/// The few calls of libc that .NET does not offer: a name that is given only if it is free, and a directory that is made durable.
/// A failure is an <see cref="IOException"/> whose HResult is the errno, as .NET's own file calls give it.
/// </summary>
internal static partial class Posix
{
    public const int NotPermitted = 1;
    public const int NoEntry = 2;
    public const int AccessDenied = 13;
    public const int Exists = 17;
    public const int NotADirectory = 20;
    public const int IsADirectory = 21;
    public const int Invalid = 22;
    public const int NoSpace = 28;
    public const int ReadOnlyFileSystem = 30;
    public const int NameTooLong = 36;
    public const int NotEmpty = 39;
    public const int NotSupported = 95;
    public const int QuotaExceeded = 122;

    private const int CurrentDirectory = -100;
    private const uint NoReplace = 1;
    private const int CloseOnExec = 0x80000;

    /// <returns>0, or the errno: being refused is an answer here, not an accident.</returns>
    public static int Link(string existing, string created) => NativeLink(existing, created) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <returns>0, or the errno.</returns>
    public static int RenameIfAbsent(string from, string to) =>
        NativeRename2(CurrentDirectory, from, CurrentDirectory, to, NoReplace) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <returns>0, or the errno. File.Move would copy where it cannot rename, and a copy is not atomic.</returns>
    public static int Rename(string from, string to) => NativeRename(from, to) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <returns>0, or the errno.</returns>
    public static int Unlink(string path) => NativeUnlink(path) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Makes the names in a directory durable: fsync of a file says nothing about the directory that names it (fsync(2), NOTES).</summary>
    public static void FlushDirectory(string path)
    {
        var descriptor = NativeOpen(path, CloseOnExec);
        if (descriptor < 0)
        {
            throw Failure(Marshal.GetLastPInvokeError());
        }

        try
        {
            // A file system that cannot flush directories (some network ones) answers EINVAL; it orders names itself.
            if (NativeFsync(descriptor) != 0 && Marshal.GetLastPInvokeError() is var error and not Invalid)
            {
                throw Failure(error);
            }
        }
        finally
        {
            _ = NativeClose(descriptor);
        }
    }

    public static IOException Failure(int error) => new(Marshal.GetPInvokeErrorMessage(error), error);

    /// <summary>The errno behind an exception of .NET's file calls, or 0 where it has none.</summary>
    public static int ErrorOf(Exception failure) => failure switch
    {
        FileNotFoundException or DirectoryNotFoundException => NoEntry,
        PathTooLongException => NameTooLong,
        UnauthorizedAccessException { InnerException: IOException inner } => inner.HResult,
        UnauthorizedAccessException => AccessDenied,
        IOException { HResult: > 0 and < 4096 } io => io.HResult,
        _ => 0,
    };

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeLink(string existing, string created);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeRename2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeRename(string from, string to);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeUnlink(string path);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeOpen(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int NativeFsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int NativeClose(int descriptor);
}
