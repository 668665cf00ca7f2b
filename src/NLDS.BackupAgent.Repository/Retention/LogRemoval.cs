using System.Globalization;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>Removes the log that nobody needs: it is recorded as removed before anything of it is, so that no hole is ever mistaken for a loss.</summary>
internal sealed class LogRemoval(IObjectStore store, TimeProvider clock, PruneBudget budget)
{
    private readonly Removal removal = new(store);

    public int Objects => removal.Objects;

    /// <returns>Null when all is gone; otherwise why not.</returns>
    public async Task<string?> RemoveAsync(SuperfluousLog going, CancellationToken cancellationToken)
    {
        if (going.Pieces.Count == 0)
        {
            return null;
        }

        await going.Archive.Pruned.RecordAsync(going.Sections, clock.GetUtcNow(), cancellationToken);

        // The oldest first: what is left when it breaks off begins later, and has no new hole.
        foreach (var batch in going.Pieces.OrderBy(p => p.Range.Start).Chunk(Removal.BatchSize))
        {
            if (budget.IsSpent)
            {
                return "not all of the log is gone yet; the next prune goes on";
            }

            var locked = (await removal.DeleteAsync([.. batch.Select(p => p.Key)], cancellationToken)).ToHashSet();

            // A seal beside a piece goes after it, so that no piece is ever without its proof.
            await removal.DeleteAsync(
                [.. batch.Where(p => p.HasSealBeside && !locked.Contains(p.Key)).Select(p => LogNames.SealKey(p.Key))], cancellationToken);
        }

        await RemoveMarksAsync(going, cancellationToken);
        return removal.LockedUntil is { } until ? Removal.WhyLocked(until) : null;
    }

    /// <summary>A named moment goes with the log that it lies in. Gaps stay: they are few, and are counted for ever.</summary>
    private async Task RemoveMarksAsync(SuperfluousLog going, CancellationToken cancellationToken)
    {
        var batch = new List<ObjectKey>();
        await foreach (var entry in store.ListAsync(going.Archive.Names.MarksPrefix, null, cancellationToken))
        {
            if (Lies(entry.Key.Name, going.Sections))
            {
                batch.Add(entry.Key);
            }

            if (batch.Count == Removal.BatchSize)
            {
                await removal.DeleteAsync(batch, cancellationToken);
                batch.Clear();
            }
        }

        await removal.DeleteAsync(batch, cancellationToken);
    }

    /// <param name="name"><c>LINEAGE-START.json</c></param>
    /// <param name="sections">What nobody needs.</param>
    private static bool Lies(string name, IReadOnlyList<LogSection> sections)
    {
        var end = name.LastIndexOf('-') is var dash && dash > 0 ? dash : 0;
        return name.EndsWith(".json", StringComparison.Ordinal)
            && ulong.TryParse(name.AsSpan(end + 1, Math.Max(0, name.Length - end - 6)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var start)
            && sections.Any(s => s.Contains(name[..end], start, start + 1));
    }
}
