using System.Net;
using NLDS.BackupAgent.Output;

namespace NLDS.BackupAgent.Health;

/// <summary>The page at <c>/</c>: the status as text, with nothing to load from elsewhere.</summary>
internal static class StatusPage
{
    public static string Of(StatusDocument status)
    {
        using var text = new StringWriter();
        StatusText.Write(status, text, status.Now);
        var title = WebUtility.HtmlEncode($"{status.Instance}: {(status.Ready ? "ready" : "not ready")}");
        return $$"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="refresh" content="10">
            <title>{{title}}</title>
            <style>body { font-family: sans-serif; margin: 2em } pre { overflow-x: auto }</style>
            </head>
            <body>
            <h1>{{title}}</h1>
            <pre>{{WebUtility.HtmlEncode(text.ToString())}}</pre>
            <p><a href="/status">status as JSON</a> · <a href="/metrics">metrics</a> · {{Sizes.Time(status.Now)}}</p>
            </body>
            </html>
            """;
    }
}
