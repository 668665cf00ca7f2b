using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Health;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Telemetry;

namespace NLDS.BackupAgent.Daemon;

/// <summary>The agent as a process: tails, schedules, telemetry and the port.</summary>
internal static partial class DaemonHost
{
    /// <summary>What the tails get to make their open ends durable. Kubernetes kills after 30 s.</summary>
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(10);

    public static WebApplication Build(AgentConfiguration configuration, Surroundings around, SecretScrubber scrubber, bool adopts = false)
    {
        ProcessMemory.Configure();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = around.BinaryDirectory });

        // Ours is complete and judged; the builder's own would let unjudged settings in.
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddConfiguration(configuration.Settings);
        builder.Logging.AddLines(configuration, around, LogLevel.Information);
        builder.Logging.AddOtlp(configuration, around, scrubber);
        builder.Services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = StopTimeout;
            host.ServicesStopConcurrently = true;
        });
        builder.Services.AddFeatures(configuration, around, scrubber, adopts);
        builder.Services.AddSingleton<LoopPulses>();
        builder.Services.AddHostedService<Heartbeat>();
        builder.Services.AddSingleton<TailSupervisor>();
        builder.Services.AddHostedService(services => services.GetRequiredService<TailSupervisor>());
        builder.Services.AddHostedService<MemoryKeeper>();
        builder.Services.AddSchedules(configuration, around.Time);
        builder.Services.AddTelemetry();
        builder.Services.AddHealth();

        var app = builder.Build();
        app.Urls.Clear();
        foreach (var url in configuration.Agent.UrlList)
        {
            app.Urls.Add(url);
        }

        app.MapTelemetry();
        app.MapHealth();
        return app;
    }

    public static async Task RunAsync(WebApplication app, CancellationToken cancellationToken)
    {
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (IOException inUse)
        {
            throw new SourceException($"{inUse.Message} Stop the other program or set Agent:Urls.", isPermanent: true, inUse);
        }

        catch (OperationCanceledException)
        {
            // Told to stop, or broken, before it had started.
            await ThrowWhatEndedItAsync(app);
            await app.StopAsync(CancellationToken.None);
            return;
        }

        LogRunning(app.Logger, string.Join(", ", app.Urls));
        await app.WaitForShutdownAsync(cancellationToken);
        await ThrowWhatEndedItAsync(app);
        LogStopped(app.Logger);
    }

    /// <summary>The framework ends the process in order when a background service breaks; its exit code has to tell.</summary>
    private static async Task ThrowWhatEndedItAsync(WebApplication app)
    {
        foreach (var service in app.Services.GetServices<IHostedService>().OfType<BackgroundService>())
        {
            if (service.ExecuteTask is { IsFaulted: true } broken)
            {
                await broken;
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "The agent runs and listens on {Urls}.")]
    private static partial void LogRunning(ILogger logger, string urls);

    [LoggerMessage(LogLevel.Information, "The agent has stopped.")]
    private static partial void LogStopped(ILogger logger);
}
