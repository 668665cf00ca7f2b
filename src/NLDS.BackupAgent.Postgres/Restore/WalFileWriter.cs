using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// Makes a whole segment file of its pieces. The server takes only files of exactly a segment's size; what lies behind the last durable byte is zeros, which
/// it reads as the end of the log.
/// </summary>
internal static class WalFileWriter
{
    /// <summary>Writes beside <paramref name="path"/> and renames, so that whoever sees the file sees all of it.</summary>
    public static async Task WriteAsync(LogArchive archive, WalFile file, string path, WalSegmentSize size, CancellationToken cancellationToken)
    {
        var temporary = path + ".nlds-tmp";
        try
        {
            await using (var target = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                BufferSize = 0,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                foreach (var piece in file.Pieces)
                {
                    target.Position = (long)(piece.Range.Start - file.Segment.Start.Value);
                    await archive.CopyAsync(piece, target, cancellationToken);
                }

                target.SetLength(size.Bytes);
                UnixFiles.BeginWriteBack(target.SafeFileHandle, 0, size.Bytes);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
