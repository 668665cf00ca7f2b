namespace NLDS.BackupAgent.Repository.Retention;

/// <summary>
/// Which log is not meant to be there, because retention removed it: what is missing otherwise is damage. Whoever looks for holes asks here. Pure.
/// </summary>
public sealed record PrunedLog(DateTimeOffset? RecordedAt, IReadOnlyList<LogSection> Sections)
{
    public static PrunedLog Nothing { get; } = new(null, []);

    /// <summary>Whether all bytes from <paramref name="start"/> to <paramref name="end"/> were removed on purpose; an empty range was.</summary>
    public bool Explains(string lineage, ulong start, ulong end) => start >= end || Sections.Any(s => s.Contains(lineage, start, end));

    /// <summary>Where the removed section that holds <paramref name="position"/> ends; null when it was not removed.</summary>
    public ulong? EndBehind(string lineage, ulong position) =>
        Sections.Where(s => s.Lineage == lineage && s.Start <= position && position < s.End).Select(s => (ulong?)s.End).FirstOrDefault();

    /// <summary>Whether any of the log behind <paramref name="position"/> was removed: from a backup there, not every later moment can be reached.</summary>
    public bool ReachesBehind(string lineage, ulong position) => Sections.Any(s => s.Lineage == lineage && s.End > position);
}
