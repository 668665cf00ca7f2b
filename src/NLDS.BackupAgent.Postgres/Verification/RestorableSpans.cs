using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>
/// The positions of one line of history that a restore can stop at: behind the end of a base backup as far as the log goes on without a hole. In order, without
/// overlap. Pure.
/// </summary>
internal static class RestorableSpans
{
    /// <param name="backups">From where each needs log, and from where on it is consistent.</param>
    /// <param name="holes">What recovery cannot read.</param>
    /// <param name="end">Where the log ends.</param>
    public static IReadOnlyList<LogRange> Of(IEnumerable<(ulong Start, ulong End)> backups, IReadOnlyCollection<LogRange> holes, ulong end)
    {
        var spans = new List<LogRange>();
        foreach (var backup in backups)
        {
            var reach = holes.Where(hole => hole.End > backup.Start).Select(hole => hole.Start).DefaultIfEmpty(end).Min();
            if (reach >= backup.End)
            {
                // A restore can stop at the end of what it reads too, hence the one beyond.
                spans.Add(new LogRange(backup.End, reach + 1));
            }
        }

        return Merge(spans);
    }

    /// <summary>The same positions in order and without overlap.</summary>
    public static IReadOnlyList<LogRange> Merge(IEnumerable<LogRange> spans)
    {
        var merged = new List<LogRange>();
        foreach (var span in spans.OrderBy(s => s.Start))
        {
            if (merged is [.., var last] && last.End >= span.Start)
            {
                merged[^1] = last with { End = Math.Max(last.End, span.End) };
            }
            else
            {
                merged.Add(span);
            }
        }

        return merged;
    }

    /// <summary>What <paramref name="spans"/> have and <paramref name="others"/> have not.</summary>
    public static IReadOnlyList<LogRange> Without(IEnumerable<LogRange> spans, IEnumerable<LogRange> others)
    {
        var left = spans.ToList();
        foreach (var other in others)
        {
            left = [.. left.SelectMany(span => Without(span, other))];
        }

        return left;
    }

    private static IEnumerable<LogRange> Without(LogRange span, LogRange other)
    {
        if (other.End <= span.Start || other.Start >= span.End)
        {
            yield return span;
            yield break;
        }

        if (span.Start < other.Start)
        {
            yield return new LogRange(span.Start, other.Start);
        }

        if (other.End < span.End)
        {
            yield return new LogRange(other.End, span.End);
        }
    }
}
