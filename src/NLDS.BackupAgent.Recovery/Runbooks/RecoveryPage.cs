using System.Globalization;
using System.Net;
using System.Text;
using NLDS.BackupAgent.Recovery.Drills;

namespace NLDS.BackupAgent.Recovery.Runbooks;

/// <summary>A recovery's report for people: one page that needs nothing but itself, in the dress of a drill's. Pure.</summary>
internal static class RecoveryPage
{
    public static string Write(RecoveryReport report)
    {
        var page = new StringBuilder();
        var (verdict, colour) = Verdict(report.Verdict);
        page.Append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.Append(CultureInfo.InvariantCulture, $"<title>Recovery {Text(report.Id)}: {Text(verdict)}</title>\n<style>\n{DrillPage.Style}\n</style></head>\n<body><main>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>Recovery of the {Text(report.Scenario)} <span class=\"verdict {colour}\">{Text(verdict)}</span></h1>\n");
        page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">{report.Began.UtcDateTime:yyyy-MM-dd HH:mm:ss} to {report.Ended.UtcDateTime:HH:mm:ss} UTC, by {Text(report.By)}");
        page.Append(string.Concat(report.Arguments.Select(argument => $"; {Text(argument.Key)} <code>{Text(argument.Value)}</code>"))).Append("</p>\n<div class=\"tiles\">\n");
        DrillPage.Tile(page, "Recovery time", report.RecoveryTimeSeconds, report.RecoveryTimeObjectiveSeconds, "from the decision until everything answered");
        if (report.RecoveryPointSeconds is { } point)
        {
            DrillPage.Tile(page, "Recovery point", point, report.RecoveryPointObjectiveSeconds, "what was lost at most");
        }

        page.Append("</div>\n<section><h2>What needs somebody's eye</h2>\n");
        page.Append(report.Findings.Count == 0 ? "<p class=\"good\">Nothing.</p>" : $"<ul>{string.Concat(report.Findings.Select(finding => $"<li>{Text(finding)}</li>"))}</ul>");
        page.Append("</section>\n<section><h2>Steps</h2><div class=\"phases\">\n");
        foreach (var phase in report.Phases)
        {
            page.Append(CultureInfo.InvariantCulture, $"<div><span>{Text(phase.Name)}</span><i class=\"counts\" style=\"width:{phase.Share * 100:F1}%\"></i><span>{DrillPage.Duration(phase.Seconds)}</span></div>\n");
        }

        page.Append("</div><ul>\n");
        foreach (var phase in report.Phases)
        {
            page.Append(CultureInfo.InvariantCulture, $"<li><b>{Text(phase.Name)}</b>: {Text(phase.Words)} <span class=\"soft\">foretold {DrillPage.Duration(phase.EstimateSeconds)}</span></li>\n");
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
