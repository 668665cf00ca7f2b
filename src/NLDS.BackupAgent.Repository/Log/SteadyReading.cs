using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// Reading a log beside the agent that writes it. That merges chunks, and replaces them by their segment: what was listed under one name is under another then, the
/// same bytes.
/// </summary>
public static class SteadyReading
{
    /// <summary>
    /// Chunks are merged every few seconds, and on a busy machine seals are not read in less. Each round is a listing, and only follows one in which something had been replaced:
    /// nobody who reads for minutes is without luck so often.
    /// </summary>
    private const int Rounds = 30;

    /// <summary>Does <paramref name="read"/> over a listing, and over a new one when what had been listed was gone before it was read.</summary>
    /// <exception cref="NotRestorableException">What <paramref name="read"/> misses was not replaced by anything.</exception>
    public static Task<T> ReadSteadilyAsync<T>(this LogArchive archive, Func<LogInventory, Task<T>> read, CancellationToken cancellationToken) =>
        ReadSteadilyAsync(archive.ReadInventoryAsync, read, cancellationToken);

    /// <summary>The same over the log's end.</summary>
    public static Task<T> ReadEndSteadilyAsync<T>(this LogArchive archive, Func<LogInventory, Task<T>> read, CancellationToken cancellationToken) =>
        ReadSteadilyAsync(archive.ReadEndAsync, read, cancellationToken);

    private static async Task<T> ReadSteadilyAsync<T>(Func<CancellationToken, Task<LogInventory>> list, Func<LogInventory, Task<T>> read, CancellationToken cancellationToken)
    {
        var inventory = await list(cancellationToken);
        for (var round = 1; ; round++)
        {
            try
            {
                return await read(inventory);
            }
            catch (NotRestorableException) when (round < Rounds)
            {
                var names = inventory.Pieces.Select(p => p.Name).ToHashSet();
                inventory = await list(cancellationToken);
                if (names.IsSubsetOf(inventory.Pieces.Select(p => p.Name)))
                {
                    throw;
                }
            }
        }
    }

    /// <summary>What holds a piece's bytes now, in order, where it is gone and others have taken its place; null where it is still there, or its bytes are nowhere.</summary>
    public static async Task<IReadOnlyList<LogPiece>?> FindSuccessorsAsync(this LogArchive archive, LogPiece gone, CancellationToken cancellationToken)
    {
        if (await archive.ExistsAsync(gone, cancellationToken))
        {
            return null;
        }

        var cover = (await archive.ReadInventoryAsync(cancellationToken)).Cover(gone.Lineage, gone.Range.Start, gone.Range.End);
        return cover.End >= gone.Range.End ? cover.Pieces : null;
    }
}
