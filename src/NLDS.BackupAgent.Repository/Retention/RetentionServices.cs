using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace NLDS.BackupAgent.Repository.Retention;

public static class RetentionServices
{
    /// <summary>Adds <see cref="Pruner"/>, <see cref="PruneRequests"/> and <see cref="BackupHolds"/> over the registered repository.</summary>
    public static IServiceCollection AddRetention(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RetentionOptions>().Bind(configuration.GetSection(RetentionOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<RetentionOptions>>().Value);
        services.AddSingleton<BackupHolds>();
        services.AddSingleton<PruneRequests>();
        return services.AddSingleton<Pruner>();
    }
}
