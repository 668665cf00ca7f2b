using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Commands;

/// <summary>One verb's run: the configuration without a fault, and the services made from it.</summary>
internal sealed class CommandSession(AgentConfiguration configuration, ServiceProvider services, Surroundings around) : IAsyncDisposable
{
    public AgentConfiguration Configuration { get; } = configuration;

    public IServiceProvider Services { get; } = services;

    public SourceCatalog Sources => Services.GetRequiredService<SourceCatalog>();

    public TextWriter Out { get; } = around.Out;

    public TextWriter Error { get; } = around.Error;

    public TimeProvider Time { get; } = around.Time;

    public ConsoleProgress Progress { get; } = new(around);

    public static CommandSession Open(
        AgentConfiguration configuration, Surroundings around, SecretScrubber scrubber, bool adopts = false, Action<IServiceCollection>? adapt = null)
    {
        var services = new ServiceCollection();
        services.AddFeatures(configuration, around, scrubber, adopts);
        services.AddLogging(logging => logging.AddLines(configuration, around, LogLevel.Warning));
        services.AddTraces();
        adapt?.Invoke(services);
        var provider = services.BuildServiceProvider();
        _ = provider.GetRequiredService<TracePipeline>();
        return new CommandSession(configuration, provider, around);
    }

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
