using System.Globalization;
using System.Net;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>A recovery's report for people: pure.</summary>
internal static class RecoveryPage
{
    public static string Write(RecoveryReport report)
    {
        var (verdict, colour) = Verdict(report.Verdict);
        var page = ReportPage.Begin($"Recovery {report.Id}: {verdict}");
        page.Append(CultureInfo.InvariantCulture, $"<h1>Recovery of the {Text(report.Scenario)} <span class=\"verdict {colour}\">{Text(verdict)}</span></h1>\n");
        page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">{report.Began.UtcDateTime:yyyy-MM-dd HH:mm:ss} to {report.Ended.UtcDateTime:HH:mm:ss} UTC, by {Text(report.By)}");
        page.Append(string.Concat(report.Arguments.Select(argument => $"; {Text(argument.Key)} <code>{Text(argument.Value)}</code>"))).Append("</p>\n<div class=\"tiles\">\n");
        ReportPage.Tile(page, "Recovery time", report.RecoveryTimeSeconds, report.RecoveryTimeObjectiveSeconds, "from the decision until everything answered");
        if (report.RecoveryPointSeconds is { } point)
        {
            ReportPage.Tile(page, "Recovery point", point, report.RecoveryPointObjectiveSeconds, "what was lost at most");
        }

        page.Append("</div>\n");
        ReportPage.Findings(page, report.Findings);
        page.Append("<section><h2>Steps</h2><div class=\"phases\">\n");
        foreach (var phase in report.Phases)
        {
            page.Append(CultureInfo.InvariantCulture, $"<div><span>{Text(phase.Name)}</span><i class=\"counts\" style=\"width:{phase.Share * 100:F1}%\"></i><span>{ReportPage.Duration(phase.Seconds)}</span></div>\n");
        }

        page.Append("</div><ul>\n");
        foreach (var phase in report.Phases)
        {
            page.Append(CultureInfo.InvariantCulture, $"<li><b>{Text(phase.Name)}</b>: {Text(phase.Words)} <span class=\"soft\">foretold {ReportPage.Duration(phase.EstimateSeconds)}</span></li>\n");
        }

        return page.Append("</ul></section>\n<p class=\"soft\">The same as data: <code>report.json</code> beside this page.</p>\n</main></body></html>\n").ToString();
    }

    private static (string Words, string Colour) Verdict(RecoveryVerdict verdict) => verdict switch
    {
        RecoveryVerdict.Recovered => ("recovered", "good"),
        RecoveryVerdict.ObjectiveMissed => ("objective missed", "warn"),
        RecoveryVerdict.RecoveredInPart => ("recovered in part", "warn"),
        _ => ("given up", "bad"),
    };

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
