using NLDS.BackupAgent.Health;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Registers the metrics and serves them.</summary>
internal static class TelemetryServices
{
    public static IServiceCollection AddTelemetry(this IServiceCollection services)
    {
        services.AddSingleton<AgentMetrics>();
        services.AddSingleton<MetricsPipeline>();
        services.AddHostedService(provider => provider.GetRequiredService<MetricsPipeline>());
        return services;
    }

    public static void MapTelemetry(this WebApplication app) =>
        app.MapGet("/metrics", (HttpContext http) => HttpAnswer.WriteAsync(http, app.Services.GetRequiredService<MetricsPipeline>().Read(), PrometheusText.ContentType));
}
