using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Writes the entries of an archive below a directory and digests them for the comparison with the server's manifest. What makes a directory startable is kept
/// back: <c>global/pg_control</c> until everything else is proved and durable, <c>tablespace_map</c> because tablespaces may have moved.
/// </summary>
/// <param name="blockBytes">
/// For an incremental backup, whose files take the place of those that are there, and whose blocks go into them: the server's block_size. Null for a full one, before
/// which nothing is there.
/// </param>
internal sealed class Unpacker(string directory, string? tablespaceOid, FileDigest digest, FileOwner owner, int? blockBytes = null) : ITarVisitor, IDisposable
{
    public const string ControlFile = "global/pg_control";
    public const string TablespaceMap = "tablespace_map";

    /// <summary>A tablespace's directory lies anywhere, so nothing but what a server puts there goes into it.</summary>
    private const string VersionFolder = "PG_";

    /// <summary>Both files are a few kilobytes; a larger one is not what its name says.</summary>
    private const int KeptBackBytes = 1 << 20;

    /// <summary>Write-back is started every so often within a large file.</summary>
    private const long WriteBackEvery = 32 << 20;

    /// <summary>The server demands 0700 or 0750 of its directory and nothing for others below it.</summary>
    private const UnixFileMode AllowedModes = (UnixFileMode)0x1E8; // rwxr-x---, octal 0750

    private TarEntry entry;
    private FileStream? file;
    private string path = "";
    private IncrementalFile? part;
    private MemoryStream? keptBack;
    private long written;
    private uint crc;

    /// <summary>Files that were not written, by name, with their content.</summary>
    public Dictionary<string, byte[]> KeptBack { get; } = [];

    public void Begin(TarEntry begun)
    {
        entry = begun;
        crc = uint.MaxValue;
        written = 0;
        if (tablespaceOid is not null && !begun.Name.StartsWith(VersionFolder, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"the tar entry '{begun.Name}' is none of a tablespace, all of which lies in one folder {VersionFolder}…");
        }

        var whole = blockBytes is null || begun.Kind != TarEntryKind.File ? null : IncrementalFile.WholeNameOf(begun.Name, tablespaceOid);
        path = Path.Combine(directory, whole ?? begun.Name);
        part = whole is null ? null : new IncrementalFile(begun.Bytes, blockBytes!.Value);
        switch (begun.Kind)
        {
            case TarEntryKind.Directory:
                MakeDirectory();
                break;
            case TarEntryKind.SymbolicLink:
                throw new InvalidDataException($"the tar entry '{begun.Name}' is a symbolic link, which a base backup with a tablespace map does not have");
            case TarEntryKind.File when tablespaceOid is null && begun.Name is ControlFile or TablespaceMap:
                if (begun.Bytes > KeptBackBytes)
                {
                    throw new InvalidDataException($"the tar entry '{begun.Name}' has an impossible size");
                }

                keptBack = new MemoryStream();
                break;
            case TarEntryKind.File when part is not null:
                file = File.Exists(path)
                    ? new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.None, bufferSize: 0)
                    : throw new InvalidDataException($"'{begun.Name}' holds what changed in a file that no backup before it has");
                break;
            default:
                MakeParent();
                if (blockBytes is not null)
                {
                    File.Delete(path);
                }

                file = new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    BufferSize = 0,
                    UnixCreateMode = Mode(begun),
                });
                break;
        }
    }

    public void Content(ReadOnlySpan<byte> bytes)
    {
        crc = Crc32C.Append(crc, bytes);
        if (keptBack is not null)
        {
            keptBack.Write(bytes);
            return;
        }

        if (part is not null)
        {
            part.Feed(bytes, () => file!.SetLength(part.TruncatedBytes), (offset, blocks) => RandomAccess.Write(file!.SafeFileHandle, blocks, offset));
            return;
        }

        file!.Write(bytes);
        written += bytes.Length;
        if (written >= WriteBackEvery)
        {
            UnixFiles.BeginWriteBack(file.SafeFileHandle, file.Position - written, written);
            written = 0;
        }
    }

    public void End()
    {
        if (entry.Kind != TarEntryKind.File)
        {
            return;
        }

        digest.Add(ArchiveFiles.ManifestName(tablespaceOid, entry.Name), entry.Bytes, ~crc);
        if (keptBack is not null)
        {
            KeptBack[entry.Name] = keptBack.ToArray();
            owner.Recorded = (entry.UserId, entry.GroupId);
            keptBack = null;
            return;
        }

        if (part is { HeaderIsRead: false })
        {
            throw new InvalidDataException($"'{entry.Name}' ends before its header does");
        }

        file!.Dispose();
        file = null;
        owner.Apply(path, entry.UserId, entry.GroupId);
    }

    public void Dispose()
    {
        file?.Dispose();
        keptBack?.Dispose();
    }

    private static UnixFileMode Mode(TarEntry entry) => ((UnixFileMode)entry.Mode & AllowedModes) | UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private void MakeDirectory()
    {
        MakeParent();
        Directory.CreateDirectory(path, Mode(entry) | UnixFileMode.UserExecute);
        owner.Apply(path, entry.UserId, entry.GroupId);
    }

    private void MakeParent()
    {
        // Directories come before what is in them; this is for archives that leave one out.
        var parent = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(parent))
        {
            Directory.CreateDirectory(parent, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            owner.Apply(parent, entry.UserId, entry.GroupId);
        }
    }
}
