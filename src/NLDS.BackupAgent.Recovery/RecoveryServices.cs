using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Recovery.Bootstrap;

namespace NLDS.BackupAgent.Recovery;

public static class RecoveryServices
{
    /// <summary>Adds the bootstrap of servers and its standing requests, over the registered repository.</summary>
    public static IServiceCollection AddRecovery(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RecoveryOptions>().Bind(configuration.GetSection(RecoveryOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<RecoveryOptions>>().Value);
        services.AddSingleton<StandingRequests>();
        return services.AddSingleton<ServerBootstrap>();
    }
}
