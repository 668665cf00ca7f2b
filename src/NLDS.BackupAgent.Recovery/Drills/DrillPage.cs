using System.Globalization;
using System.Net;
using System.Text;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>A drill's report for people: one page that needs nothing but itself, light or dark as the reader's machine, on a phone too. Pure.</summary>
internal static class DrillPage
{
    public static string Write(DrillReport report, IReadOnlyList<DrillReport> earlier)
    {
        var (verdict, colour) = Verdict(report.Verdict);
        var page = ReportPage.Begin($"Disaster recovery drill {report.Id}: {verdict}");
        page.Append(CultureInfo.InvariantCulture, $"<h1>Disaster recovery drill <span class=\"verdict {colour}\">{Text(verdict)}</span></h1>\n");
        page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">{report.Began.UtcDateTime:yyyy-MM-dd HH:mm:ss} to {report.Ended.UtcDateTime:HH:mm:ss} UTC, {Where(report.Mode)}, by {Text(report.By)}</p>\n<div class=\"tiles\">\n");
        ReportPage.Tile(page, "Recovery time", report.RecoveryTimeSeconds, report.RecoveryTimeObjectiveSeconds, "from the decision until everything answers");
        ReportPage.Tile(page, "Recovery point", report.RecoveryPointSeconds, report.RecoveryPointObjectiveSeconds, "what a disaster at the drill's beginning would have cost");
        page.Append("</div>\n");
        ReportPage.Findings(page, report.Findings);
        foreach (var source in report.Sources)
        {
            Source(page, source);
        }

        Trend(page, [.. earlier, report]);
        return page.Append("<p class=\"soft\">The same as data: <code>report.json</code> beside this page. The copies that were restored are removed.</p>\n</main></body></html>\n").ToString();
    }

    private static void Source(StringBuilder page, SourceDrill source)
    {
        page.Append(CultureInfo.InvariantCulture, $"<section><h2>{Text(source.Source)}</h2>\n");
        if (source.Failure is { } failure)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"bad\"><b>Failed.</b> {Text(failure)}</p>\n");
        }

        if (source.Backup is { } backup)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p>Backup <code>{Text(backup)}</code>, asked for <code>{Text(source.To ?? "")}</code>: {Text(source.Target ?? "")}.</p>\n");
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">{Bytes(source.StoredBytes)} read from the store, {Bytes(source.ContentBytes)} written.");
            page.Append(source.RecoveryTimeSeconds is { } took ? $" Recovery took {ReportPage.Duration(took)}; the plan had foretold {ReportPage.Duration(source.EstimateSeconds ?? 0)}.</p>\n" : "</p>\n");
        }

        var longest = source.Phases.Select(phase => phase.Seconds).DefaultIfEmpty(1).Max();
        page.Append("<h3>Phases</h3><div class=\"phases\">\n");
        foreach (var phase in source.Phases)
        {
            var width = longest > 0 ? phase.Seconds / longest * 100 : 0;
            page.Append(CultureInfo.InvariantCulture, $"<div><span>{Text(phase.Name)}</span><i class=\"{(phase.IsRecovery ? "counts" : "")}\" style=\"width:{width:F1}%\"></i><span>{ReportPage.Duration(phase.Seconds)}</span></div>\n");
        }

        page.Append("</div><p class=\"soft\">Dark bars count as recovery time.</p>\n");
        if (source.Proofs.Count > 0)
        {
            page.Append("<h3>Proofs</h3>\n");
            foreach (var proof in source.Proofs)
            {
                var (sign, colour) = Sign(proof.Verdict);
                page.Append(CultureInfo.InvariantCulture, $"<div class=\"proof\"><span class=\"{colour}\">{sign}</span><span><b>{Text(proof.What)}</b> {Text(proof.Words)}</span></div>\n");
            }
        }

        if (source.Load is { } load)
        {
            page.Append("<h3>Load test</h3><div class=\"scroll\"><table><tr><th>clients</th><th>for</th><th>requests</th><th>per second</th><th>median</th><th>95 %</th><th>99 %</th><th>slowest</th></tr>");
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{load.Clients}</td><td>{load.Seconds:F1} s</td><td>{load.Requests}</td><td>{load.RatePerSecond:F0}</td><td>{load.MedianMilliseconds:F2} ms</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td class=\"{(load.Percentile95Milliseconds <= load.ObjectiveMilliseconds ? "good" : "bad")}\">{load.Percentile95Milliseconds:F2} ms</td><td>{load.Percentile99Milliseconds:F2} ms</td><td>{load.SlowestMilliseconds:F1} ms</td></tr></table></div>\n");
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">Objective: 95 of 100 within {load.ObjectiveMilliseconds:F0} ms.</p>\n");
        }

        page.Append(CultureInfo.InvariantCulture, $"<h3>Where it ran</h3><ul>{string.Concat(source.Environment.Select(line => $"<li>{Text(line)}</li>"))}</ul></section>\n");
    }

    private static void Trend(StringBuilder page, IReadOnlyList<DrillReport> reports)
    {
        page.Append("<section><h2>Trend</h2>\n");
        if (reports.Count > 1)
        {
            Chart(page, reports);
        }

        page.Append("<div class=\"scroll\"><table><tr><th>drill</th><th>verdict</th><th>recovery time</th><th>recovery point</th><th>restored</th></tr>\n");
        foreach (var report in reports.Reverse().Take(12))
        {
            var (verdict, colour) = Verdict(report.Verdict);
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{report.Began.UtcDateTime:yyyy-MM-dd HH:mm}</td><td class=\"{colour}\">{Text(verdict)}</td><td>{Optional(report.RecoveryTimeSeconds)}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td>{Optional(report.RecoveryPointSeconds)}</td><td>{Bytes(report.Sources.Sum(source => source.ContentBytes))}</td></tr>\n");
        }

        page.Append("</table></div></section>\n");
    }

    /// <summary>Recovery times as columns; the highest is the objective's line or, where one is beyond it, that column.</summary>
    private static void Chart(StringBuilder page, IReadOnlyList<DrillReport> reports)
    {
        const int width = 600, height = 140, foot = 18, head = 14;
        var shown = reports.TakeLast(24).ToList();
        var highest = Math.Max(shown.Max(report => report.RecoveryTimeSeconds ?? 0), 0.001) * 1.1;
        var step = (double)width / shown.Count;
        page.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Recovery time of the last {shown.Count} drills\">\n");
        for (var i = 0; i < shown.Count; i++)
        {
            var seconds = shown[i].RecoveryTimeSeconds ?? 0;
            var bar = seconds / highest * (height - foot - head);
            var colour = shown[i].Verdict == DrillVerdict.Passed ? "var(--bar)" : "var(--bad)";
            var middle = (i * step) + (step / 2);
            var thickness = Math.Min(step * 0.7, 60);
            page.Append(CultureInfo.InvariantCulture, $"<rect x=\"{middle - (thickness / 2):F1}\" y=\"{height - foot - bar:F1}\" width=\"{thickness:F1}\" height=\"{Math.Max(bar, 1):F1}\" rx=\"3\" fill=\"{colour}\"><title>{shown[i].Id}: {Optional(shown[i].RecoveryTimeSeconds)}</title></rect>");
            if (shown.Count <= 12)
            {
                page.Append(CultureInfo.InvariantCulture, $"<text x=\"{middle:F1}\" y=\"{height - foot - bar - 4:F1}\" text-anchor=\"middle\">{Optional(shown[i].RecoveryTimeSeconds)}</text>");
                page.Append(CultureInfo.InvariantCulture, $"<text x=\"{middle:F1}\" y=\"{height - 4}\" text-anchor=\"middle\">{shown[i].Began.UtcDateTime:MM-dd}</text>\n");
            }
        }

        page.Append("</svg>\n");
    }

    private static string Where(DrillMode mode) => mode == DrillMode.Kubernetes ? "in a namespace of Kubernetes" : "on one machine";

    private static (string Words, string Colour) Verdict(DrillVerdict verdict) => verdict switch
    {
        DrillVerdict.Passed => ("passed", "good"),
        DrillVerdict.ObjectiveMissed => ("objective missed", "warn"),
        _ => ("failed", "bad"),
    };

    private static (string Sign, string Colour) Sign(ProofVerdict verdict) => verdict switch
    {
        ProofVerdict.Proven => ("✔", "good"),
        ProofVerdict.NotLooked => ("–", "soft"),
        ProofVerdict.Finding => ("!", "warn"),
        _ => ("✘", "bad"),
    };

    private static string Optional(double? seconds) => seconds is { } known ? ReportPage.Duration(known) : "–";

    private static string Bytes(long bytes) => bytes switch
    {
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:F0} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:F1} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:F1} GiB"),
    };

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
