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
                    target.Position = (long)(piece.Range.Start - file.Segment.Start.Value);
                    await archive.CopyAsync(piece, target, cancellationToken);
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
