namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// PostgreSQL 14: a copy for each archive, nameless and in the order of the tablespace list, and one more for the manifest. The archives lack tar's
/// trailer, two empty blocks, and there is no progress; both are added here.
/// </summary>
internal sealed class CopyPerArchiveFraming(IReadOnlyList<BackupTablespace> tablespaces) : BackupFraming
{
    private static readonly byte[] Trailer = new byte[1024];

    private int copies;
    private long bytesDone;
    private bool hasManifest;

    private bool IsManifest => copies > tablespaces.Count;

    public override void BeginCopy()
    {
        copies++;
        if (copies > tablespaces.Count + 1)
        {
            throw new ProtocolException("The server sent more archives than it announced tablespaces.");
        }

        Announce(IsManifest ? new BaseBackupEvent { Kind = BaseBackupEventKind.ManifestStart } : ArchiveStart(tablespaces[copies - 1]));
    }

    public override BaseBackupEvent Interpret(ReadOnlyMemory<byte> body)
    {
        bytesDone += IsManifest ? 0 : body.Length;
        return new BaseBackupEvent { Kind = BaseBackupEventKind.Data, Data = body };
    }

    public override void EndCopy()
    {
        if (IsManifest)
        {
            hasManifest = true;
            return;
        }

        bytesDone += Trailer.Length;
        Announce(new BaseBackupEvent { Kind = BaseBackupEventKind.Data, Data = Trailer });
        Announce(new BaseBackupEvent { Kind = BaseBackupEventKind.Progress, BytesDone = bytesDone });
    }

    public override void RequireComplete()
    {
        if (!hasManifest)
        {
            throw new ProtocolException("The server ended the base backup before its manifest.");
        }
    }

    private static BaseBackupEvent ArchiveStart(BackupTablespace tablespace) => new()
    {
        Kind = BaseBackupEventKind.ArchiveStart,
        ArchiveName = tablespace.ArchiveName,
        Location = tablespace.Location ?? "",
    };
}
