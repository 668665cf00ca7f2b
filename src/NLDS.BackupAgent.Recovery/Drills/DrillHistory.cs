namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>The last drills as this process knows them, so that metrics need not ask the store each time. May be used from any thread.</summary>
public sealed class DrillHistory
{
    private volatile IReadOnlyList<DrillReport> reports = [];

    /// <summary>Oldest first; empty until they have been read.</summary>
    public IReadOnlyList<DrillReport> Reports => reports;

    public DrillReport? Last => reports is [.., var last] ? last : null;

    public DrillReport? LastPassed => reports.LastOrDefault(report => report.Verdict == DrillVerdict.Passed);

    public async Task ReadAsync(DrillReports stored, CancellationToken cancellationToken) => reports = await stored.ReadAsync(cancellationToken);

    /// <summary>By source and backup, when a drill last restored it and found it as it should be.</summary>
    public static IReadOnlyDictionary<(string Source, string Backup), DateTimeOffset> Proven(IReadOnlyList<DrillReport> reports)
    {
        var proven = new Dictionary<(string, string), DateTimeOffset>();
        foreach (var report in reports)
        {
            foreach (var source in report.Sources.Where(source => source.Failure is null && source.Backup is not null
                && source.Proofs.All(proof => proof.Verdict != Repository.Sources.ProofVerdict.Failed)))
            {
                proven[(source.Source, source.Backup!)] = report.Ended;
            }
        }

        return proven;
    }
}
