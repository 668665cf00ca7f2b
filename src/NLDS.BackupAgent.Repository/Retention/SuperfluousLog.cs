using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>The objects of a log that nobody needs. A year's are a hundred thousand, and each has a name: whoever has only to tell of them keeps a <see cref="LogPlan"/>.</summary>
/// <param name="Archive">Whose they are.</param>
/// <param name="Sections">All that nobody needs, whether anything is left in them or not.</param>
/// <param name="Pieces">The objects in them.</param>
internal sealed record SuperfluousLog(LogArchive Archive, IReadOnlyList<LogSection> Sections, IReadOnlyList<LogPiece> Pieces)
{
    /// <summary>The stretches in which something goes.</summary>
    public IEnumerable<LogPlanStretch> Stretches() =>
        from section in Sections
        let pieces = Pieces.Where(p => section.Contains(p.Lineage, p.Range.Start, p.Range.End)).ToList()
        where pieces.Count > 0
        select new LogPlanStretch(
            section.Lineage,
            Archive.Naming.Format(pieces.Min(p => p.Range.Start)),
            Archive.Naming.Format(pieces.Max(p => p.Range.End)),
            pieces.Count,
            pieces.Sum(p => p.StoredBytes));
}
