using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Checks;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Verification;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres;

/// <summary>The one door to this source.</summary>
public static class PostgresServices
{
    /// <summary>The source's name in commands, keys and metrics.</summary>
    public const string Source = PostgresCatalog.Source;

    /// <summary>What <c>restore postgres</c> takes beside the options that every restore has.</summary>
    public static RestoreSyntax Restore { get; } =
        new([new RestoreOption(RestoreOptionNames.Tablespace, "OLD=NEW", "Put the tablespace of directory OLD into directory NEW.", AllowsMany: true)]);

    /// <summary>Adds PostgreSQL as <see cref="ISnapshotSource"/> (an <see cref="IRehearsedSource"/>), <see cref="IContinuousSource"/>,
    /// <see cref="IRetainedSource"/> and <see cref="IWalFetcher"/>.</summary>
    public static IServiceCollection AddPostgres(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<PostgresOptions>().Bind(configuration.GetSection(PostgresOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<PostgresOptions>>().Value);
        services.AddSingleton<PostgresSql>();
        services.AddSingleton<PostgresCatalog>();
        services.AddSingleton<LineageGuard>();
        services.AddSingleton<WalTail>();
        services.AddSingleton<SlotWatch>();
        services.AddSingleton<WalCoverage>();
        services.AddSingleton<IncrementalParents>();
        services.AddSingleton<BaseBackupTaker>();
        services.AddSingleton(TargetSpace.OfThisMachine);
        services.AddSingleton<RestorePlanner>();
        services.AddSingleton<Restorer>();
        services.AddSingleton<PostgresVerifier>();
        services.AddSingleton<PostgresChecks>();
        services.AddSingleton<PostgresSource>();
        services.AddSingleton<ISnapshotSource>(provider => provider.GetRequiredService<PostgresSource>());
        services.AddSingleton<IContinuousSource>(provider => provider.GetRequiredService<PostgresSource>());
        services.AddSingleton<IRetainedSource>(provider => provider.GetRequiredService<PostgresSource>());
        return services.AddSingleton<IWalFetcher, WalFetcher>();
    }
}
