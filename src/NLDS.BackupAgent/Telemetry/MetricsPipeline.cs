using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Collects the meters of this process's floors for Prometheus and, where an endpoint is configured, for OTLP.</summary>
internal sealed class MetricsPipeline : IHostedService, IDisposable
{
    /// <summary>More Prometheus servers than anybody points at one agent; who comes later is not told apart.</summary>
    private const int MostScrapers = 16;

    /// <summary>The SDK makes room for 2,000 series of each of our thirty metrics at once: four megabytes. One of each job and outcome is what there is.</summary>
    private const int MostSeries = 200;

    private readonly PrometheusExporter prometheus = new();
    private readonly MeterProvider provider;
    private readonly AgentMetrics metrics;
    private readonly HashSet<string> scrapers = [];

    public MetricsPipeline(IMeterFactory meters, AgentMetrics metrics, OtlpTarget otlp)
    {
        // The factory makes the meters; asking for the metrics here means that they exist before the first scrape.
        this.metrics = metrics;
        var builder = Sdk.CreateMeterProviderBuilder()
            .AddMeter("NLDS.BackupAgent", "NLDS.BackupAgent.*")
            .AddView(instrument => ReferenceEquals(instrument.Meter.Scope, meters) ? new MetricStreamConfiguration { CardinalityLimit = MostSeries } : MetricStreamConfiguration.Drop)
            .AddReader(new BaseExportingMetricReader(prometheus));
        if (otlp.IsConfigured)
        {
            builder.ConfigureResource(otlp.Describe).ConfigureServices(otlp.Configure).AddOtlpExporter();
        }

        provider = builder.Build();
    }

    /// <summary>Every series now, in Prometheus's text format.</summary>
    /// <param name="scraper">Who asks, when it is a Prometheus.</param>
    public string Read(string? scraper = null)
    {
        if (scraper is not null && IsFirstOf(scraper))
        {
            return metrics.ForFirstScrape(prometheus.Read);
        }

        return prometheus.Read();
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        provider.Dispose();
        prometheus.Dispose();
    }

    private bool IsFirstOf(string scraper)
    {
        lock (scrapers)
        {
            return scrapers.Count < MostScrapers && scrapers.Add(scraper);
        }
    }
}
