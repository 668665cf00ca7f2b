namespace NLDS.BackupAgent.Repository.Log;

/// <summary>The pieces that hold a stretch of one lineage without a hole, in order. Pure.</summary>
/// <param name="Pieces">Each begins at or before the end of the one before it and reaches further.</param>
/// <param name="End">How far they reach; equal to the start asked for when nothing holds it.</param>
public sealed record LogCover(IReadOnlyList<LogPiece> Pieces, ulong End)
{
    /// <summary>
    /// The longest contiguous cover from <paramref name="from"/>, at most to <paramref name="to"/>, choosing at each point the piece that reaches furthest and,
    /// of those, a whole segment.
    /// </summary>
    public static LogCover Find(IEnumerable<LogPiece> pieces, string lineage, ulong from, ulong to = ulong.MaxValue)
    {
        var ordered = pieces.Where(p => p.Lineage == lineage && p.Range.End > from).OrderBy(p => p.Range.Start).ToList();
        var chosen = new List<LogPiece>();
        var position = from;
        var next = 0;
        LogPiece? best = null;
        while (position < to)
        {
            for (; next < ordered.Count && ordered[next].Range.Start <= position; next++)
            {
                if (best is null || Better(ordered[next], best))
                {
                    best = ordered[next];
                }
            }

            if (best is null || best.Range.End <= position)
            {
                break;
            }

            chosen.Add(best);
            position = best.Range.End;
        }

        return new LogCover(chosen, position);
    }

    private static bool Better(LogPiece candidate, LogPiece best) =>
        candidate.Range.End > best.Range.End || (candidate.Range.End == best.Range.End && candidate.IsSegment && !best.IsSegment);
}
