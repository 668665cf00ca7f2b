using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Output;

namespace NLDS.BackupAgent.Health;

/// <summary>Registers health and status and serves them.</summary>
internal static class HealthServices
{
    private const string Json = "application/json; charset=utf-8";

    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddSingleton<Liveness>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<StatusReport>();
        return services;
    }

    public static void MapHealth(this WebApplication app)
    {
        var liveness = app.Services.GetRequiredService<Liveness>();
        var readiness = app.Services.GetRequiredService<Readiness>();
        var report = app.Services.GetRequiredService<StatusReport>();
        var scrubber = app.Services.GetRequiredService<SecretScrubber>();

        var token = app.Services.GetRequiredService<AgentConfiguration>().Agent.Token;

        app.MapGet("/healthz/live", http => AnswerAsync(http, "alive", "stuck", liveness.Reasons()));
        app.MapGet("/healthz/ready", async http => await AnswerAsync(http, "ready", "not ready", await readiness.AskAsync()));
        app.MapGet("/status", http =>
        {
            if (BearerToken.Admits(token, http.Request.Headers.Authorization))
            {
                return HttpAnswer.WriteAsync(http, scrubber.Scrub(Report.Json(report.Now())), Json);
            }

            http.Response.Headers.WWWAuthenticate = "Bearer";
            return HttpAnswer.WriteAsync(http, "The status is for holders of Agent:Token. Send it as 'Authorization: Bearer …'.\n", "text/plain; charset=utf-8", StatusCodes.Status401Unauthorized);
        });
        app.MapGet("/", http =>
        {
            http.Response.Headers.ContentSecurityPolicy = StatusPage.Policy;
            http.Response.Headers.XContentTypeOptions = "nosniff";
            return HttpAnswer.WriteAsync(http, StatusPage.Text, "text/html; charset=utf-8");
        });

        Task AnswerAsync(HttpContext http, string good, string bad, IReadOnlyList<string> reasons) => HttpAnswer.WriteAsync(
            http,
            scrubber.Scrub(Report.Json(new HealthDocument(reasons.Count == 0 ? good : bad, reasons))),
            Json,
            reasons.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }
}
