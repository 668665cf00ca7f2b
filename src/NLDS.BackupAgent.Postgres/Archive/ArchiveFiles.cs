using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Postgres.Archive;

/// <summary>Digests the files of one archive under the names that the server's backup manifest gives them.</summary>
/// <param name="digest">Shared by all archives of a backup.</param>
/// <param name="tablespaceOid">The tablespace whose archive this is, or null for the data directory.</param>
internal sealed class ArchiveFiles(FileDigest digest, string? tablespaceOid) : ITarVisitor
{
    public const string Suffix = ".tar";

    /// <summary>The archive that is not of a tablespace.</summary>
    public const string DataDirectory = "base" + Suffix;

    private TarEntry entry;
    private uint crc;

    /// <summary>The tablespace of an archive's name: 16385 of <c>16385.tar</c>, null of <c>base.tar</c>.</summary>
    public static string? TablespaceOf(string archive) => archive == DataDirectory ? null : archive.Split('.')[0];

    /// <summary>The name in the server's manifest of a file in an archive.</summary>
    public static string ManifestName(string? tablespaceOid, string name) => tablespaceOid is null ? name : $"pg_tblspc/{tablespaceOid}/{name}";

    public void Begin(TarEntry begun)
    {
        entry = begun;
        crc = uint.MaxValue;
    }

    public void Content(ReadOnlySpan<byte> bytes) => crc = Crc32C.Append(crc, bytes);

    public void End()
    {
        if (entry.Kind == TarEntryKind.File)
        {
            digest.Add(ManifestName(tablespaceOid, entry.Name), entry.Bytes, ~crc);
        }
    }
}
