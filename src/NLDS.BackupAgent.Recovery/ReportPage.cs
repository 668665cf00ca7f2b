using System.Globalization;
using System.Net;
using System.Text;

namespace NLDS.BackupAgent.Recovery;

/// <summary>What the pages of all reports have in common: each is one page that needs nothing but itself, light or dark as the reader's machine, on a phone too. Pure.</summary>
internal static class ReportPage
{
    private const string Style = """
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

    /// <summary>A page up to its heading. What begins here ends with <c>main</c>, <c>body</c> and <c>html</c>.</summary>
    public static StringBuilder Begin(string title) => new StringBuilder()
        .Append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .Append(CultureInfo.InvariantCulture, $"<title>{WebUtility.HtmlEncode(title)}</title>\n<style>\n{Style}\n</style></head>\n<body><main>\n");

    public static void Tile(StringBuilder page, string name, double? seconds, double objective, string words)
    {
        var colour = seconds is null ? "bad" : seconds <= objective ? "good" : "bad";
        page.Append(CultureInfo.InvariantCulture, $"<div class=\"tile\"><span class=\"soft\">{name}</span><b class=\"{colour}\">{(seconds is { } known ? Duration(known) : "not reached")}</b>");
        page.Append(CultureInfo.InvariantCulture, $"<span class=\"soft\">objective {Duration(objective)}; {words}</span></div>\n");
    }

    public static void Findings(StringBuilder page, IReadOnlyList<string> findings)
    {
        page.Append("<section><h2>What needs somebody's eye</h2>\n");
        page.Append(findings.Count == 0 ? "<p class=\"good\">Nothing.</p>" : $"<ul>{string.Concat(findings.Select(finding => $"<li>{WebUtility.HtmlEncode(finding)}</li>"))}</ul>");
        page.Append("</section>\n");
    }

    public static string Duration(double seconds) => seconds switch
    {
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:F0} ms"),
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{seconds:F1} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:F1} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:F1} h"),
    };
}
