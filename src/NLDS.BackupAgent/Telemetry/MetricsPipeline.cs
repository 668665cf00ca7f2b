using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Collects the meters of this process's floors for Prometheus and, where an endpoint is configured, for OTLP.</summary>
internal sealed class MetricsPipeline : IHostedService, IDisposable
{
    private const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private readonly PrometheusExporter prometheus = new();
    private readonly MeterProvider provider;

    public MetricsPipeline(IMeterFactory meters, Surroundings around, AgentMetrics metrics)
    {
        // The factory makes the meters; asking for the metrics here means that they exist before the first scrape.
        _ = metrics;
        var builder = Sdk.CreateMeterProviderBuilder()
            .AddMeter("NLDS.BackupAgent", "NLDS.BackupAgent.*")
            .AddView(instrument => ReferenceEquals(instrument.Meter.Scope, meters) ? null : MetricStreamConfiguration.Drop)
            .AddReader(new BaseExportingMetricReader(prometheus));
        if (around.Environment.GetValueOrDefault(OtlpEndpoint) is { Length: > 0 })
        {
            builder.AddOtlpExporter();
        }

        provider = builder.Build();
    }

    /// <summary>Every series now, in Prometheus's text format.</summary>
    public string Read() => prometheus.Read();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        provider.Dispose();
        prometheus.Dispose();
    }
}
