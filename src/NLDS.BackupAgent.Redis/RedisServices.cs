using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Redis.Backup;
using NLDS.BackupAgent.Redis.Checks;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Redis.Verification;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis;

/// <summary>The one door to this source.</summary>
public static class RedisServices
{
    /// <summary>The source's name in commands, keys and metrics.</summary>
    public const string Source = RedisCatalog.Source;

    /// <summary>What <c>restore redis</c> takes beside the options that every restore has.</summary>
    public static RestoreSyntax Restore { get; } = new(
    [
        new RestoreOption(
            RestoreOptionNames.RedisServer,
            "PATH",
            "The redis-server that will run on the directory: its version is checked, and it writes copy and commands as one file. Unless said, the one of the PATH."),
        new RestoreOption(
            RestoreOptionNames.AppendOnly,
            "yes|any",
            "yes: the server's configuration has 'appendonly yes', and copy and commands may stay apart. any (the default): it may have it or not."),
    ]);

    /// <summary>Adds Redis as <see cref="ISnapshotSource"/>, <see cref="IRetainedSource"/> and, unless its mode is Snapshot, as <see cref="IContinuousSource"/>.</summary>
    public static IServiceCollection AddRedis(this IServiceCollection services, IConfiguration configuration)
    {
        var section = configuration.GetSection(RedisOptions.Section);
        services.AddOptions<RedisOptions>().Bind(section);
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<RedisOptions>>().Value);
        services.AddSingleton<RedisCatalog>();
        services.AddSingleton<LineageGuard>();
        services.AddSingleton<RedisTail>();
        services.AddSingleton<BaseTaker>();
        services.AddSingleton<RestorePlanner>();
        services.AddSingleton<Restorer>();
        services.AddSingleton<RedisVerifier>();
        services.AddSingleton<RedisChecks>();
        services.AddSingleton<RedisSource>();
        services.AddSingleton<ISnapshotSource>(provider => provider.GetRequiredService<RedisSource>());
        services.AddSingleton<IRetainedSource>(provider => provider.GetRequiredService<RedisSource>());
        if (section.GetValue(nameof(RedisOptions.Mode), RedisMode.Stream) == RedisMode.Stream)
        {
            services.AddSingleton<IContinuousSource>(provider => provider.GetRequiredService<RedisSource>());
        }

        return services;
    }
}
