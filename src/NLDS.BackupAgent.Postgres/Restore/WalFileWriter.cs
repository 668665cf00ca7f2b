using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Makes a whole segment file of its pieces. The server takes only files of exactly a segment's size; what lies behind the last durable byte is zeros, which
/// it reads as the end of the log.
/// </summary>
internal static class WalFileWriter
{
    public const string TemporarySuffix = ".nlds-tmp";

    /// <summary>A chunk is merged into a larger one, that into its segment; a segment is replaced by nothing.</summary>
    private const int Replacements = 3;

    /// <summary>Writes beside <paramref name="path"/> and renames, so that whoever sees the file sees all of it.</summary>
    /// <exception cref="NotRestorableException">A piece is missing or damaged, or holds the log of another cluster.</exception>
    public static async Task WriteAsync(LogArchive archive, WalFile file, string path, string systemIdentifier, CancellationToken cancellationToken)
    {
        var temporary = path + TemporarySuffix;
        try
        {
            await using (var target = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.ReadWrite,
                BufferSize = 0,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                foreach (var piece in file.Pieces)
                {
                    await CopyAsync(archive, piece, target, file.Segment.Start, Replacements, cancellationToken);
                }

                target.SetLength(file.Segment.Size.Bytes);
                RequireOwn(target, file, systemIdentifier);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Every byte has its own place in the file, so what was written of a piece that went away meanwhile is written over.</summary>
    private static async Task CopyAsync(LogArchive archive, LogPiece piece, FileStream target, Lsn segmentStart, int replacements, CancellationToken cancellationToken)
    {
        IReadOnlyList<LogPiece>? successors;
        try
        {
            target.Position = (long)(piece.Range.Start - segmentStart.Value);
            await archive.CopyAsync(piece, target, cancellationToken);
            return;
        }
        catch (NotRestorableException) when (replacements > 0)
        {
            successors = await archive.FindSuccessorsAsync(piece, cancellationToken);
            if (successors is null)
            {
                throw;
            }
        }

        foreach (var successor in successors)
        {
            await CopyAsync(archive, successor, target, segmentStart, replacements - 1, cancellationToken);
        }
    }

    /// <summary>The server takes a segment that is not its own for the end of the log, and would promote.</summary>
    private static void RequireOwn(FileStream target, WalFile file, string systemIdentifier)
    {
        Span<byte> header = stackalloc byte[WalPageHeader.LongBytes];
        target.Position = 0;
        target.ReadExactly(header);
        if (WalPageHeader.Check(header, systemIdentifier, (uint)file.Segment.Size.Bytes, file.Segment.Start.Value) is { } fault)
        {
            throw new NotRestorableException($"The object '{file.Pieces[0].Name}' does not hold WAL segment {file.Segment} of this cluster: {fault}.");
        }
    }
}
