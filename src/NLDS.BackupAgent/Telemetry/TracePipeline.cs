using NLDS.BackupAgent.Output;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Sends the spans of all floors by OTLP where an endpoint is configured; otherwise nobody listens, and a span costs nothing.</summary>
internal sealed class TracePipeline : IDisposable
{
    private readonly TracerProvider? provider;

    public TracePipeline(OtlpTarget otlp, SecretScrubber scrubber)
    {
        if (otlp.IsConfigured)
        {
            provider = Sdk.CreateTracerProviderBuilder()
                .AddSource("NLDS.BackupAgent", "NLDS.BackupAgent.*")
                .ConfigureResource(otlp.Describe)
                .ConfigureServices(otlp.Configure)
                .AddProcessor(new ScrubbedSpans(scrubber))
                .AddOtlpExporter()
                .Build();
        }
    }

    /// <summary>Sends what is left.</summary>
    public void Dispose() => provider?.Dispose();
}
