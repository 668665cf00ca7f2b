using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Health;
using NLDS.BackupAgent.Output;
using OpenTelemetry.Logs;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Registers metrics, traces and logs for OTLP, and serves the metrics to Prometheus.</summary>
internal static class TelemetryServices
{
    public static IServiceCollection AddTelemetry(this IServiceCollection services)
    {
        services.AddSingleton<AgentMetrics>();
        services.AddTraces();
        services.AddSingleton<MetricsPipeline>();
        services.AddHostedService(provider => provider.GetRequiredService<MetricsPipeline>());
        return services;
    }

    /// <summary>The spans alone, which verbs have too. Somebody has to ask for the pipeline before the first span.</summary>
    public static void AddTraces(this IServiceCollection services)
    {
        services.AddSingleton<OtlpTarget>();
        services.AddSingleton<TracePipeline>();
    }

    /// <summary>Logs go by OTLP too, where an endpoint is configured.</summary>
    public static void AddOtlp(this ILoggingBuilder logging, AgentConfiguration configuration, Surroundings around, SecretScrubber scrubber)
    {
        var otlp = new OtlpTarget(around, configuration);
        if (otlp.IsConfigured)
        {
            logging.AddOpenTelemetry(options =>
            {
                var resource = OpenTelemetry.Resources.ResourceBuilder.CreateEmpty();
                otlp.Describe(resource);
                options.SetResourceBuilder(resource);
                options.IncludeFormattedMessage = true;
                options.AddProcessor(new ScrubbedRecords(scrubber));
                options.AddOtlpExporter();
            });
        }
    }

    public static void MapTelemetry(this WebApplication app)
    {
        var metrics = app.Services.GetRequiredService<MetricsPipeline>();
        _ = app.Services.GetRequiredService<TracePipeline>();
        app.MapGet("/metrics", http =>
        {
            if (!PrometheusText.IsWanted(http.Request.Headers.Accept))
            {
                return HttpAnswer.WriteAsync(
                    http, $"This agent writes {PrometheusText.ContentType} and nothing else.\n", "text/plain; charset=utf-8", StatusCodes.Status406NotAcceptable);
            }

            // Prometheus and those made after it tell their time-out; nobody else does.
            var isScraper = http.Request.Headers.ContainsKey("X-Prometheus-Scrape-Timeout-Seconds");
            return HttpAnswer.WriteAsync(http, metrics.Read(isScraper ? $"{http.Connection.RemoteIpAddress} {http.Request.Headers.UserAgent}" : null), PrometheusText.ContentType);
        });
    }
}
