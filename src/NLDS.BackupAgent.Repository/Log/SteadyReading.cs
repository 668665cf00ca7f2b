using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>
/// Reading a log beside the agent that writes it. That merges chunks, and replaces them by their segment: what was listed under one name is under another then, the
/// same bytes.
/// </summary>
public static class SteadyReading
{
    /// <summary>Seals are read in less time than chunks are merged in; twice in a row is bad luck, three times something else.</summary>
    private const int Rounds = 3;

    /// <summary>Does <paramref name="read"/> over a listing, and over a new one when what had been listed was gone before it was read.</summary>
    /// <exception cref="NotRestorableException">What <paramref name="read"/> misses was not replaced by anything.</exception>
    public static async Task<T> ReadSteadilyAsync<T>(this LogArchive archive, Func<LogInventory, Task<T>> read, CancellationToken cancellationToken)
    {
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        for (var round = 1; ; round++)
        {
            try
            {
                return await read(inventory);
            }
            catch (NotRestorableException) when (round < Rounds)
            {
                var names = inventory.Pieces.Select(p => p.Name).ToHashSet();
                inventory = await archive.ReadInventoryAsync(cancellationToken);
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
