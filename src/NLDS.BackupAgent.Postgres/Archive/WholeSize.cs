namespace NLDS.BackupAgent.Postgres.Archive;

/// <summary>Adds up what the files of an incremental backup's archive take when they are whole again, and lets the next visitor see all of it too.</summary>
internal sealed class WholeSize(ITarVisitor next, string? tablespaceOid, int blockBytes) : ITarVisitor
{
    private IncrementalFile? part;

    public long Bytes { get; private set; }

    public void Begin(TarEntry entry)
    {
        part = entry.Kind == TarEntryKind.File && IncrementalFile.WholeNameOf(entry.Name, tablespaceOid) is not null ? new IncrementalFile(entry.Bytes, blockBytes) : null;
        Bytes += part is null ? entry.Bytes : 0;
        next.Begin(entry);
    }

    public void Content(ReadOnlySpan<byte> bytes)
    {
        part?.Feed(bytes, () => Bytes += part.WholeBytes, (_, _) => { });
        next.Content(bytes);
    }

    public void End()
    {
        if (part is { HeaderIsRead: false })
        {
            throw new InvalidDataException("an incremental file ends before its header does");
        }

        next.End();
    }
}
