namespace NLDS.BackupAgent.Postgres.Archive;

internal enum TarEntryKind
{
    File,
    Directory,
    SymbolicLink,
}

/// <summary>One header of a tar archive. The name is relative, has no <c>.</c> or <c>..</c> segment and no backslash: it cannot leave the directory it is unpacked in.</summary>
internal readonly record struct TarEntry(string Name, TarEntryKind Kind, long Bytes, int Mode, int UserId, int GroupId, string LinkTarget);
