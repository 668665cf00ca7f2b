using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>Whose the restored files are: run by root into a directory of an ordinary user, a restore gives that user what it wrote.</summary>
internal static class TargetFiles
{
    public static void GiveToOwnerOf(string directory)
    {
        if (!UnixFiles.IsRoot || UnixFiles.Owner(directory) is not { User: not 0 } owner)
        {
            return;
        }

        foreach (var entry in Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories))
        {
            UnixFiles.ChangeOwner(entry, owner.User, owner.Group);
        }
    }
}
