using System.Text;
using NLDS.BackupAgent.Repository;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>The reports of all recoveries, as they lie in the repository.</summary>
internal sealed class RecoveryReports(BackupRepository repository)
{
    /// <summary>Where they lie, from the repository's root.</summary>
    public const string Folder = "reports/recovery";

    /// <summary>The page first: where the document is, the page is. Written again by a process that goes on, it finds its own.</summary>
    /// <returns>Where the page lies, from the repository's root.</returns>
    public async Task<string> WriteAsync(RecoveryReport report, CancellationToken cancellationToken)
    {
        var folder = repository.OpenFolder(Folder);
        await folder.PutFileAsync($"{report.Id}/report.html", Encoding.UTF8.GetBytes(RecoveryPage.Write(report)), cancellationToken);
        await folder.PutAsync($"{report.Id}/report.json", report, RecoveryJson.Default.RecoveryReport, cancellationToken);
        return $"{Folder}/{report.Id}/report.html";
    }
}
