using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>Turns what the file system answered into a sentence with a way out, and says whether trying again can help.</summary>
internal static class DirectoryFaults
{
    public static ObjectStoreException From(string root, string action, Exception cause) => Posix.ErrorOf(cause) switch
    {
        // Transient: retention, or an operator, frees space while the log waits in the database's slot.
        Posix.NoSpace => Transient($"{action} in {root} failed: the disk is full. Free space there or enlarge the volume.", cause),
        Posix.QuotaExceeded => Transient($"{action} in {root} failed: the disk quota is used up. Free space there or raise the quota.", cause),
        Posix.ReadOnlyFileSystem => Permanent(
            $"{action} in {root} failed: the file system is read-only. Remount it writable, or set Storage:Directory:Path to a writable directory.", cause),
        Posix.AccessDenied or Posix.NotPermitted => Permanent(
            $"{action} in {root} failed: permission denied. Give the agent's user read and write access to the directory.", cause),
        Posix.NameTooLong => Permanent(
            $"{action} in {root} failed: the name is too long for this file system. Set Storage:Directory:Path to a shorter path.", cause),
        Posix.NotADirectory or Posix.IsADirectory or Posix.NotEmpty => Permanent(
            $"{action} in {root} failed: an object and a folder cannot have the same name in a directory. Move the one that does not belong there away.",
            cause),
        Posix.NoEntry => Permanent($"{action} in {root} failed: a part of the path is missing. Check that the volume is mounted.", cause),
        > 0 and var error => Transient(
            $"{action} in {root} failed: {Marshal.GetPInvokeErrorMessage(error)}. Check the volume and the kernel's log.", cause),
        _ => Transient($"{action} in {root} failed: {cause.Message}", cause),
    };

    private static ObjectStoreException Transient(string message, Exception cause) => new(message, isPermanent: false, cause);

    private static ObjectStoreException Permanent(string message, Exception cause) => new(message, isPermanent: true, cause);
}
