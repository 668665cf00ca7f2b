using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.CommandStream;

/// <summary>Reads the stream along a path, byte for byte in its order, each piece proved against its seal.</summary>
internal static class PathReading
{
    /// <exception cref="NotRestorableException">A change of the replication id on the way is not what its file's name says.</exception>
    public static async Task ProveSwitchesAsync(LogArchive archive, StreamPath path, CancellationToken cancellationToken)
    {
        foreach (var change in path.Switches)
        {
            var content = await archive.ReadFileAsync(change.FileName, cancellationToken);
            if (!content.AsSpan().SequenceEqual(change.Content))
            {
                throw new NotRestorableException($"The file '{change.FileName}' of the stream says another thing than its name.");
            }
        }
    }

    /// <param name="end">Nothing from this offset on is handed out.</param>
    /// <param name="take">Told each stretch, valid only for the call. What it was told of a piece may be relied on when the next one begins, or this returns.</param>
    public static async Task ReadAsync(LogArchive archive, StreamPath path, ulong end, Action<ReadOnlyMemory<byte>> take, CancellationToken cancellationToken)
    {
        var pieces = new Queue<PathPiece>(path.Pieces);
        while (pieces.TryPeek(out var next) && next.Part.Start < end)
        {
            var (piece, part) = next;
            await using var window = new WindowStream(part.Start - piece.Range.Start, Math.Min(part.End, end) - part.Start, take);
            try
            {
                await archive.CopyAsync(piece, window, cancellationToken);
                pieces.Dequeue();
            }
            catch (NotRestorableException) when (!window.HasBegun)
            {
                if (await FindSuccessorAsync(archive, next, end, cancellationToken) is not { } successor)
                {
                    throw;
                }

                pieces = new Queue<PathPiece>(successor.Pieces);
            }
        }
    }

    /// <summary>A running agent merges chunks, and replaces them by their segment: what was found in one object is in another then, the same bytes.</summary>
    /// <returns>The path from there on; null when the piece is still there, or nothing took its place.</returns>
    private static async Task<StreamPath?> FindSuccessorAsync(LogArchive archive, PathPiece gone, ulong end, CancellationToken cancellationToken)
    {
        if (await archive.ExistsAsync(gone.Piece, cancellationToken))
        {
            return null;
        }

        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        var path = StreamPath.Find(inventory, new StreamPosition(gone.Piece.Lineage, gone.Part.Start));
        return path.End.Offset >= Math.Min(gone.Part.End, end) ? path : null;
    }

    /// <summary>Passes on so many bytes of what is written, behind so many others.</summary>
    private sealed class WindowStream(ulong skip, ulong length, Action<ReadOnlyMemory<byte>> take) : SinkStream
    {
        private ulong skip = skip;
        private ulong left = length;

        /// <summary>Something was handed out.</summary>
        public bool HasBegun { get; private set; }

        public override void Write(ReadOnlySpan<byte> buffer) => Take(buffer.ToArray());

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Take(buffer);
            return ValueTask.CompletedTask;
        }

        private void Take(ReadOnlyMemory<byte> buffer)
        {
            var skipped = (int)Math.Min(skip, (ulong)buffer.Length);
            var count = (int)Math.Min(left, (ulong)(buffer.Length - skipped));
            skip -= (ulong)skipped;
            left -= (ulong)count;
            if (count > 0)
            {
                HasBegun = true;
                take(buffer.Slice(skipped, count));
            }
        }
    }
}
