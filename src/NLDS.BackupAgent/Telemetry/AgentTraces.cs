using System.Diagnostics;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>One span for each backup, restore, verification and other run, whether the daemon or a verb does it; the uploads inside are Storage's.</summary>
internal static class AgentTraces
{
    private static readonly ActivitySource Source = new("NLDS.BackupAgent");

    /// <param name="operation"><c>backup</c>, <c>restore</c>, <c>verify</c> …</param>
    /// <param name="source">The source's name.</param>
    /// <param name="work">What the span lasts for. An exception makes it a failed one.</param>
    public static async Task<T> SpanAsync<T>(string operation, string source, Func<Task<T>> work)
    {
        using var span = Source.StartActivity($"{operation} {source}");
        span?.SetTag("backup.source", source);
        try
        {
            return await work();
        }
        catch (Exception failure)
        {
            span?.SetStatus(ActivityStatusCode.Error, failure.Message);
            throw;
        }
    }
}
