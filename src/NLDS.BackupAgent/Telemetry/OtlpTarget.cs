using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Configuration;
using OpenTelemetry.Resources;

namespace NLDS.BackupAgent.Telemetry;

/// <summary>Where metrics, traces and logs go by OTLP: what the standard's own environment variables say. Without an endpoint nothing goes anywhere.</summary>
internal sealed class OtlpTarget(Surroundings around, AgentConfiguration configuration)
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    public bool IsConfigured => around.Environment.GetValueOrDefault(Endpoint) is { Length: > 0 };

    /// <summary>Gives the exporters the environment that this process was handed.</summary>
    public void Configure(IServiceCollection services) =>
        services.AddSingleton<IConfiguration>(ConfigurationLayers.InMemory(around.Environment.Select(variable => KeyValuePair.Create(variable.Key, (string?)variable.Value))));

    public void Describe(ResourceBuilder resource) =>
        resource.AddService("nlds-backup", serviceVersion: VersionCommand.Version, serviceInstanceId: configuration.Agent.Instance).AddEnvironmentVariableDetector();
}
