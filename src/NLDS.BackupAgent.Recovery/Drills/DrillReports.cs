using System.Text;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>The reports of all drills, as they lie in the repository.</summary>
public sealed class DrillReports(BackupRepository repository)
{
    /// <summary>Where they lie, from the repository's root.</summary>
    public const string Folder = "reports/dr-drill";

    private const string Document = "/report.json";

    /// <summary>For a trend over two years of monthly drills.</summary>
    private const int Remembered = 24;

    /// <summary>The newest reports, oldest first. A damaged one is left out: it is a memory, not a backup.</summary>
    public async Task<IReadOnlyList<DrillReport>> ReadAsync(CancellationToken cancellationToken)
    {
        var folder = repository.OpenFolder(Folder);
        var reports = new List<DrillReport>();
        foreach (var name in (await folder.ListAsync(cancellationToken)).Where(name => name.EndsWith(Document, StringComparison.Ordinal)).TakeLast(Remembered))
        {
            try
            {
                if (await folder.FindAsync(name, RecoveryJson.Default.DrillReport, cancellationToken) is { } report)
                {
                    reports.Add(report);
                }
            }
            catch (NotRestorableException)
            {
                // Named by verify; a drill does not fail because an earlier one cannot be read.
            }
        }

        return reports;
    }

    /// <summary>A new drill's id: the second in which it began, or the next that no report has.</summary>
    internal async Task<string> NewIdAsync(DateTimeOffset began, CancellationToken cancellationToken) =>
        BackupId.FirstFree(began, (await repository.OpenFolder(Folder).ListAsync(cancellationToken)).Select(name => name.Split('/')[0]).ToHashSet()).ToString();

    /// <summary>The page first: where the document is, the page is.</summary>
    /// <returns>Where the page lies, from the repository's root.</returns>
    /// <exception cref="SourceException">Another drill has reported under this id.</exception>
    internal async Task<string> WriteAsync(DrillReport report, IReadOnlyList<DrillReport> earlier, CancellationToken cancellationToken)
    {
        var folder = repository.OpenFolder(Folder);
        await folder.PutFileAsync($"{report.Id}/report.html", Encoding.UTF8.GetBytes(DrillPage.Write(report, earlier)), cancellationToken);
        if (!await folder.PutAsync(report.Id + Document, report, RecoveryJson.Default.DrillReport, cancellationToken))
        {
            throw new SourceException($"Another drill has the report '{Folder}/{report.Id}'. It was left as it is, and this drill has none. Drill again.", isPermanent: false);
        }

        return $"{Folder}/{report.Id}/report.html";
    }
}
