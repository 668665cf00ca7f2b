using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>A target as a place in the stream.</summary>
/// <param name="Cut">Nothing from this offset on is replayed.</param>
internal sealed record FoundTarget(ulong Cut, string Words, DateTimeOffset? RecoversTo, IReadOnlyList<string> Warnings);

/// <summary>Finds where a moment lies in the stream behind a base, from the arrival times that the seals have.</summary>
internal sealed class TargetSearch(LogArchive archive, LogInventory inventory, TimeProvider clock)
{
    /// <summary>Seals are small: it is round trips that take time.</summary>
    public const int ParallelReads = 16;

    /// <summary>
    /// A time this shortly behind the last proven moment is restored with a warning: a quiet server's last PING is that old, and the moment just before a crash is what
    /// people ask for. Anything later is refused, because writes may be missing that nobody can name.
    /// </summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);

    /// <exception cref="NotRestorableException">There is a hole in the stream, and more behind it.</exception>
    public async Task<FoundTarget> FindEndAsync(StreamPath path, CancellationToken cancellationToken)
    {
        if (path.Hole is { } hole)
        {
            throw new NotRestorableException($"{hole}. To restore what lies before it, use --to offset:{path.End.Offset}.");
        }

        var seals = await ReadSealsAsync(path, cancellationToken);
        var proven = ProvenUntil(inventory, path, seals.LastOrDefault());
        return new FoundTarget(path.End.Offset, $"the end of what is stored, {path.End}", proven, EndOfHistory(path));
    }

    /// <param name="begun">When the base was taken that the path begins with.</param>
    /// <exception cref="NotRestorableException">The moment lies behind the end of what is stored.</exception>
    public async Task<FoundTarget> FindTimeAsync(DateTimeOffset time, StreamPath path, DateTimeOffset begun, CancellationToken cancellationToken)
    {
        var seals = await ReadSealsAsync(path, cancellationToken);
        var windows = path.Pieces.Zip(seals).SelectMany(p => Windows(p.First, p.Second)).ToList();
        var index = windows.FindIndex(w => w.Last > time);
        if (index >= 0)
        {
            var window = windows[index];
            var cut = Math.Max(window.Start, path.Start.Offset);
            return new FoundTarget(cut, $"{time.UtcDateTime:O}", time, window.First > time ? [] :
            [
                $"Writes of one second are not told apart: of those that arrived from {window.First.UtcDateTime:HH:mm:ss.fff} to {window.Last.UtcDateTime:HH:mm:ss.fff} none is restored. "
                + "Name a whole second to have all before it.",
            ]);
        }

        var proven = ProvenUntil(inventory, path, seals.LastOrDefault()) is { } until && until > begun ? until : begun;
        if (path.Hole is { } hole && time > proven)
        {
            throw new NotRestorableException($"{time.UtcDateTime:O} lies behind a hole. {hole}. To restore what lies before it, use --to offset:{path.End.Offset}.");
        }

        if (time > proven + Grace || time > clock.GetUtcNow() + Grace)
        {
            throw new NotRestorableException(
                $"{time.UtcDateTime:O} lies behind the last moment that the repository can prove, {proven.UtcDateTime:O}: writes after it may be missing. Use --to latest.");
        }

        return new FoundTarget(path.End.Offset, $"{time.UtcDateTime:O}", time, time <= proven ? [] :
            [$"The repository proves nothing later than {proven.UtcDateTime:O}, {(time - proven).TotalSeconds:F1} s before the target; a write in between would be missing."]);
    }

    /// <exception cref="NotRestorableException">The offset lies behind the end of what is stored.</exception>
    public static FoundTarget FindOffset(ulong offset, StreamPath path) => offset <= path.End.Offset
        ? new FoundTarget(offset, $"offset {offset}", null, [])
        : throw new NotRestorableException($"Offset {offset} lies behind the end of the stream at {path.End.Offset}. {(path.Hole is { } hole ? hole + "." : "Use --to latest.")}");

    private IReadOnlyList<string> EndOfHistory(StreamPath path) =>
        [.. inventory.Gaps.Where(g => g.Lineage == path.End.ReplicationId && g.Start == path.End.Offset).Select(g => $"This history ended here, {g.RecordedAt.UtcDateTime:u}. {g.Reason}")];

    /// <summary>Each piece's seal, in order; a piece that is missing or damaged ends the search.</summary>
    private async Task<LogSeal[]> ReadSealsAsync(StreamPath path, CancellationToken cancellationToken)
    {
        var seals = new LogSeal[path.Pieces.Count];
        await Parallel.ForAsync(
            0,
            seals.Length,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken },
            async (index, token) => seals[index] = await archive.ReadSealAsync(path.Pieces[index].Piece, token));
        return seals;
    }

    private static IEnumerable<LogWindow> Windows(PathPiece part, LogSeal seal)
    {
        IReadOnlyList<LogWindow> windows;
        try
        {
            windows = LogWindow.Decode(seal.Arrivals, seal.Start);
        }
        catch (FormatException damage)
        {
            throw new NotRestorableException($"The object '{part.Piece.Name}' is damaged: {damage.Message}", damage);
        }

        // A window reaches up to the next one; one that ends before the part that is meant says nothing about it.
        for (var i = 0; i < windows.Count; i++)
        {
            var end = i + 1 < windows.Count ? windows[i + 1].Start : seal.End;
            if (end > part.Part.Start && windows[i].Start < part.Part.End)
            {
                yield return windows[i];
            }
        }
    }

    /// <summary>Nothing that had arrived by then is missing at the end of the path. What was confirmed behind a hole says nothing of what lies before it.</summary>
    /// <param name="last">The seal of the path's last piece, as far as there is one that can be read.</param>
    public static DateTimeOffset? ProvenUntil(LogInventory inventory, StreamPath path, LogSeal? last) =>
        inventory.Confirmation is { } confirmed && confirmed.Lineage == path.End.ReplicationId && confirmed.Position <= path.End.Offset && !(confirmed.AsOf < last?.AsOf)
            ? confirmed.AsOf
            : last?.AsOf;
}
