using NLDS.BackupAgent.Postgres.Archive;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>PostgreSQL 15 and later: one copy for everything; the first byte of each message tells what it is.</summary>
internal sealed class SingleCopyFraming : BackupFraming
{
    private bool hasArchive;
    private bool hasManifest;

    public override void BeginCopy()
    {
    }

    public override BaseBackupEvent Interpret(ReadOnlyMemory<byte> body)
    {
        var fields = new BodyReader(body.Span);
        switch (fields.Byte())
        {
            case (byte)'d': // bytes of the current archive or manifest
                return new BaseBackupEvent { Kind = BaseBackupEventKind.Data, Data = body[1..] };
            case (byte)'p': // progress: bytes done over all archives, whatever some manuals say
                return new BaseBackupEvent { Kind = BaseBackupEventKind.Progress, BytesDone = fields.Int64() };
            case (byte)'n': // new archive: its name, then the tablespace's location
                hasArchive = true;
                return new BaseBackupEvent { Kind = BaseBackupEventKind.ArchiveStart, ArchiveName = RequireName(fields.CString()), Location = fields.CString() };
            case (byte)'m': // manifest
                hasManifest = true;
                return new BaseBackupEvent { Kind = BaseBackupEventKind.ManifestStart };
            default: // a future kind could matter, so it is not skipped
                throw ProtocolException.Unexpected(body.Span[0], "a base backup's copy");
        }
    }

    public override void EndCopy()
    {
    }

    /// <summary>It becomes part of an object's name: <c>base.tar</c>, or a tablespace's number.</summary>
    private static string RequireName(string archive) =>
        archive == ArchiveFiles.DataDirectory
        || (archive.EndsWith(ArchiveFiles.Suffix, StringComparison.Ordinal) && archive.Length > ArchiveFiles.Suffix.Length && archive[..^ArchiveFiles.Suffix.Length].All(char.IsAsciiDigit))
            ? archive
            : throw new ProtocolException($"The server called an archive of its base backup '{archive}'.");

    public override void RequireComplete()
    {
        if (!hasArchive || !hasManifest)
        {
            throw new ProtocolException("The server ended the base backup without an archive or without its manifest.");
        }
    }
}
