using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Whose the restored files are. PostgreSQL starts only in a directory of its own user. Without root's rights they are the caller's; root gives them to the
/// owner of the target directory, where that is an ordinary user, and else to whom they belonged when they were backed up, as tar does.
/// </summary>
internal sealed class FileOwner
{
    private readonly (int User, int Group)? fixedOwner;
    private readonly bool keepsRecorded;

    private FileOwner((int User, int Group)? fixedOwner, bool keepsRecorded)
    {
        this.fixedOwner = fixedOwner;
        this.keepsRecorded = keepsRecorded;
    }

    public static FileOwner For(string directory)
    {
        if (!UnixFiles.IsRoot)
        {
            return new FileOwner(null, keepsRecorded: false);
        }

        var owner = UnixFiles.Owner(directory);
        return owner.User != 0 ? new FileOwner(owner, keepsRecorded: false) : new FileOwner(null, keepsRecorded: true);
    }

    /// <summary>The owner recorded for the data directory itself, once it is known; for files that no archive has.</summary>
    public (int User, int Group)? Recorded { get; set; }

    public void Apply(string path, int recordedUser, int recordedGroup)
    {
        if (fixedOwner is { } owner)
        {
            UnixFiles.ChangeOwner(path, owner.User, owner.Group);
        }
        else if (keepsRecorded)
        {
            UnixFiles.ChangeOwner(path, recordedUser, recordedGroup);
        }
    }

    /// <summary>For a file that this program made.</summary>
    public void Apply(string path)
    {
        if ((fixedOwner ?? (keepsRecorded ? Recorded : null)) is { } owner)
        {
            UnixFiles.ChangeOwner(path, owner.User, owner.Group);
        }
    }
}
