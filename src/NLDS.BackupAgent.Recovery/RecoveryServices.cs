using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Forecast;
using NLDS.BackupAgent.Recovery.Marks;

namespace NLDS.BackupAgent.Recovery;

public static class RecoveryServices
{
    /// <summary>Adds the bootstrap of servers, its standing requests, and marks, over the registered repository.</summary>
    public static IServiceCollection AddRecovery(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RecoveryOptions>().Bind(configuration.GetSection(RecoveryOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<RecoveryOptions>>().Value);
        services.AddSingleton<StandingRequests>();
        services.AddSingleton<RecoveryMarks>();
        return services.AddSingleton<ServerBootstrap>();
    }

    /// <summary>Adds drills and their reports, over the registered repository.</summary>
    public static IServiceCollection AddDrills(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<DrillOptions>().Bind(configuration.GetSection(DrillOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<DrillOptions>>().Value);
        services.AddSingleton<DrillReports>();
        services.AddSingleton<DrillHistory>();
        services.AddSingleton<RestoreForecast>();
        return services.AddSingleton<DrillRunner>();
    }
}
