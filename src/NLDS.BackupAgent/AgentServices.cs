using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Output;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using Microsoft.Extensions.Options;

namespace NLDS.BackupAgent;

/// <summary>What every verb that touches a source needs: the features, the clock, metrics and logs. The daemon adds its own on top.</summary>
internal static class AgentServices
{
    public static IServiceCollection AddAgent(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<AgentOptions>().Bind(configuration.GetSection("Agent"));
        services.AddSingleton<SourceCatalog>();
        services.AddSingleton(provider => AgentIdentity.OfThisProcess(provider.GetRequiredService<IOptions<AgentOptions>>().Value.Instance));
        return services;
    }

    /// <param name="adopts">The operator said <c>--adopt</c>.</param>
    public static void AddFeatures(
        this IServiceCollection services, AgentConfiguration configuration, Surroundings around, SecretScrubber scrubber, bool adopts = false)
    {
        services.AddSingleton(new AdoptionConsent(adopts, configuration.Agent.Adopt));
        services.AddSingleton<IConfiguration>(configuration.Settings);
        services.AddSingleton(configuration);
        services.AddSingleton(around);
        services.AddSingleton(scrubber);
        services.AddSingleton(around.Time);
        services.AddMetrics();
        foreach (var feature in configuration.Features.All)
        {
            feature.Add(services, configuration.Settings);
        }
    }

    /// <summary>Logs to standard error in one line each; what the libraries say counts from a warning on, unless the section Logging says otherwise.</summary>
    public static void AddLines(this ILoggingBuilder logging, AgentConfiguration configuration, Surroundings around, LogLevel level)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(level);
        foreach (var category in new[] { "Microsoft", "System", "Quartz", "AWSSDK", "Amazon", "Npgsql", "OpenTelemetry" })
        {
            logging.AddFilter(category, LogLevel.Warning);
        }

        // What the framework says of a failed start or a broken service is what the exit already says in better words.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        logging.AddConfiguration(configuration.Settings.GetSection("Logging"));
        logging.AddProvider(new LineLoggerProvider(around.Error, configuration.Agent.LogFormat, around.Time));
    }
}
