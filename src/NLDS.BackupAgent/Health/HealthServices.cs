using NLDS.BackupAgent.Output;

namespace NLDS.BackupAgent.Health;

/// <summary>Registers health and status and serves them.</summary>
internal static class HealthServices
{
    private const string PlainText = "text/plain; charset=utf-8";

    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddSingleton<Readiness>();
        services.AddSingleton<StatusReport>();
        return services;
    }

    public static void MapHealth(this WebApplication app)
    {
        var readiness = app.Services.GetRequiredService<Readiness>();
        var report = app.Services.GetRequiredService<StatusReport>();
        var scrubber = app.Services.GetRequiredService<SecretScrubber>();

        // Answering at all is what it means to be alive; a source that cannot be reached is no reason to be killed.
        app.MapGet("/healthz/live", http => HttpAnswer.WriteAsync(http, "alive\n", PlainText));
        app.MapGet("/healthz/ready", http =>
        {
            var reasons = readiness.Reasons();
            return reasons.Count == 0
                ? HttpAnswer.WriteAsync(http, "ready\n", PlainText)
                : HttpAnswer.WriteAsync(http, scrubber.Scrub(string.Join('\n', reasons) + "\n"), PlainText, StatusCodes.Status503ServiceUnavailable);
        });
        app.MapGet("/status", http => HttpAnswer.WriteAsync(http, scrubber.Scrub(Report.Json(report.Now())), "application/json; charset=utf-8"));
        app.MapGet("/", http => HttpAnswer.WriteAsync(http, scrubber.Scrub(StatusPage.Of(report.Now())), "text/html; charset=utf-8"));
    }
}
