namespace NLDS.BackupAgent.Health;

/// <summary>The page at <c>/</c>: one document with nothing to load from elsewhere, which asks <c>/status</c> for what it shows. It holds no data itself.</summary>
internal static class StatusPage
{
    /// <summary>Its own style and script, its own server, and nothing else.</summary>
    public const string Policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly Lazy<string> Page = new(() =>
    {
        using var page = new StreamReader(typeof(StatusPage).Assembly.GetManifestResourceStream("status.html")!);
        return page.ReadToEnd();
    });

    public static string Text => Page.Value;
}
