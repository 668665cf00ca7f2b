namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>The bytes of one lineage of a log from <paramref name="Start"/> up to, and without, <paramref name="End"/>.</summary>
public readonly record struct LogSection(string Lineage, ulong Start, ulong End)
{
    public bool Contains(string lineage, ulong start, ulong end) => Lineage == lineage && Start <= start && end <= End;

    /// <summary>The same bytes in as few sections as possible, ordered by lineage and position.</summary>
    internal static IReadOnlyList<LogSection> Union(IEnumerable<LogSection> sections)
    {
        var joined = new List<LogSection>();
        foreach (var next in sections.Where(s => s.End > s.Start).OrderBy(s => s.Lineage, StringComparer.Ordinal).ThenBy(s => s.Start))
        {
            if (joined is [.., var last] && last.Lineage == next.Lineage && next.Start <= last.End)
            {
                joined[^1] = last with { End = Math.Max(last.End, next.End) };
            }
            else
            {
                joined.Add(next);
            }
        }

        return joined;
    }

    /// <summary>What remains of <paramref name="sections"/> without <paramref name="kept"/>.</summary>
    internal static IReadOnlyList<LogSection> Without(IEnumerable<LogSection> sections, IEnumerable<LogSection> kept)
    {
        var islands = Union(kept);
        var left = new List<LogSection>();
        foreach (var section in Union(sections))
        {
            var position = section.Start;
            foreach (var island in islands.Where(k => k.Lineage == section.Lineage && k.End > section.Start && k.Start < section.End))
            {
                left.Add(section with { Start = position, End = Math.Max(position, island.Start) });
                position = Math.Max(position, island.End);
            }

            left.Add(section with { Start = Math.Min(position, section.End) });
        }

        return Union(left);
    }
}
