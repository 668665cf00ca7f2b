using System.Globalization;
using System.Net;
using System.Text;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>A drill's report for people: one page that needs nothing but itself, light or dark as the reader's machine, on a phone too. Pure.</summary>
internal static class DrillPage
{
    internal const string Style = """
        :root { color-scheme: light dark; --ink: #1b2330; --soft: #5b6675; --line: #dde2e9; --card: #fff; --page: #f4f6f9; --good: #16794c; --warn: #9a6300; --bad: #b3261e; --bar: #3568d4; --bar2: #9db7ee; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e7ebf2; --soft: #9aa6b6; --line: #2d3644; --card: #1a212c; --page: #11161e; --good: #4cc38a; --warn: #e3a64a; --bad: #ff7b72; --bar: #6f9bff; --bar2: #3c5283; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
        h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 0 0 .75rem; } h3 { font-size: .95rem; margin: 1.25rem 0 .4rem; color: var(--soft); font-weight: 600; }
        p { margin: .25rem 0; } .soft { color: var(--soft); } code { font: .9em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
        section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.15rem; margin-top: 1rem; }
        .verdict { font-weight: 700; } .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; margin-top: 1rem; }
        .tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .9rem 1.15rem; } .tile b { display: block; font-size: 1.7rem; line-height: 1.25; }
        ul { margin: .25rem 0; padding-left: 1.2rem; } li { margin: .2rem 0; overflow-wrap: anywhere; }
        .phases div { display: grid; grid-template-columns: 9rem 1fr 4.5rem; gap: .6rem; align-items: center; margin: .3rem 0; } .phases i { display: block; height: .7rem; border-radius: 4px; background: var(--bar2); min-width: 2px; } .phases i.counts { background: var(--bar); }
        .phases span:last-child, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .proof { display: grid; grid-template-columns: 1.4rem 1fr; margin: .35rem 0; } .proof b { font-weight: 600; }
        table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .5rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top; } th { color: var(--soft); font-weight: 600; border-top: 0; }
        .scroll { overflow-x: auto; } svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 11px; }
        @media (max-width: 34rem) { .phases div { grid-template-columns: 6.5rem 1fr 4rem; } main { padding: 1rem .75rem 3rem; } }
        """;

    public static string Write(DrillReport report, IReadOnlyList<DrillReport> earlier)
    {
        var page = new StringBuilder();
        var (verdict, colour) = Verdict(report.Verdict);
        page.Append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.Append(CultureInfo.InvariantCulture, $"<title>Disaster recovery drill {Text(report.Id)}: {Text(verdict)}</title>\n<style>\n{Style}\n</style></head>\n<body><main>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>Disaster recovery drill <span class=\"verdict {colour}\">{Text(verdict)}</span></h1>\n");
        page.Append(CultureInfo.InvariantCulture, $"<p class=\"soft\">{report.Began.UtcDateTime:yyyy-MM-dd HH:mm:ss} to {report.Ended.UtcDateTime:HH:mm:ss} UTC, by {Text(report.By)}</p>\n<div class=\"tiles\">\n");
        Tile(page, "Recovery time", report.RecoveryTimeSeconds, report.RecoveryTimeObjectiveSeconds, "from the decision until everything answers");
        Tile(page, "Recovery point", report.RecoveryPointSeconds, report.RecoveryPointObjectiveSeconds, "what a disaster at the drill's beginning would have cost");
        page.Append("</div>\n");
        page.Append("<section><h2>What needs somebody's eye</h2>\n");
        page.Append(report.Findings.Count == 0 ? "<p class=\"good\">Nothing.</p>" : $"<ul>{string.Concat(report.Findings.Select(finding => $"<li>{Text(finding)}</li>"))}</ul>");
        page.Append("</section>\n");
        foreach (var source in report.Sources)
        {
            Source(page, source);
        }

        Trend(page, [.. earlier, report]);
        return page.Append("<p class=\"soft\">The same as data: <code>report.json</code> beside this page. The copies that were restored are removed.</p>\n</main></body></html>\n").ToString();
    }

    internal static void Tile(StringBuilder page, string name, double? seconds, double objective, string words)
    {
        var colour = seconds is null ? "bad" : seconds <= objective ? "good" : "bad";
        page.Append(CultureInfo.InvariantCulture, $"<div class=\"tile\"><span class=\"soft\">{name}</span><b class=\"{colour}\">{(seconds is { } known ? Duration(known) : "not reached")}</b>");
        page.Append(CultureInfo.InvariantCulture, $"<span class=\"soft\">objective {Duration(objective)}; {words}</span></div>\n");
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
            page.Append(source.RecoveryTimeSeconds is { } took ? $" Recovery took {Duration(took)}; the plan had foretold {Duration(source.EstimateSeconds ?? 0)}.</p>\n" : "</p>\n");
        }

        var longest = source.Phases.Select(phase => phase.Seconds).DefaultIfEmpty(1).Max();
        page.Append("<h3>Phases</h3><div class=\"phases\">\n");
        foreach (var phase in source.Phases)
        {
            var width = longest > 0 ? phase.Seconds / longest * 100 : 0;
            page.Append(CultureInfo.InvariantCulture, $"<div><span>{Text(phase.Name)}</span><i class=\"{(phase.IsRecovery ? "counts" : "")}\" style=\"width:{width:F1}%\"></i><span>{Duration(phase.Seconds)}</span></div>\n");
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

    private static string Optional(double? seconds) => seconds is { } known ? Duration(known) : "–";

    internal static string Duration(double seconds) => seconds switch
    {
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:F0} ms"),
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{seconds:F1} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:F1} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:F1} h"),
    };

    private static string Bytes(long bytes) => bytes switch
    {
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:F0} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:F1} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:F1} GiB"),
    };

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
