using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Backup;
using NLDS.BackupAgent.ApplicationData.Checks;
using NLDS.BackupAgent.ApplicationData.Restore;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.ApplicationData.Verification;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData;

/// <summary>The one door to this source.</summary>
public static class ApplicationDataServices
{
    /// <summary>The source's name in commands, keys and metrics.</summary>
    public const string Source = ArchiveDetails.Source;

    /// <summary>What <c>restore application-data</c> takes; it goes back into the running servers.</summary>
    public static RestoreSyntax Restore { get; } = new(
    [
        new RestoreOption(RestoreOptionNames.Only, "NAME,…", "Only these data sets; all that the backup has unless said.", AllowsMany: true),
        new RestoreOption(RestoreOptionNames.KeepTtl, null, "Cache keys live as long as they had when they were copied, instead of what is left of that since."),
    ])
    {
        IsToDirectory = false,
        ReachesMoments = false,
    };

    /// <summary>Adds application data as <see cref="ISnapshotSource"/> and <see cref="IRetainedSource"/>. Where the servers are is read from their own sections too.</summary>
    public static IServiceCollection AddApplicationData(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<ApplicationDataOptions>().Bind(configuration.GetSection(ApplicationDataOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<ApplicationDataOptions>>().Value);
        services.AddSingleton(provider => ServerSettings.Read(configuration, provider.GetRequiredService<ApplicationDataOptions>()));
        services.AddSingleton<Database>();
        services.AddSingleton<BackupTaker>();
        services.AddSingleton<SetRestorer>();
        services.AddSingleton<RestorePlanner>();
        services.AddSingleton<ApplicationDataVerifier>();
        services.AddSingleton<ApplicationDataChecks>();
        services.AddSingleton<ApplicationDataSource>();
        services.AddSingleton<ISnapshotSource>(provider => provider.GetRequiredService<ApplicationDataSource>());
        services.AddSingleton<IRetainedSource>(provider => provider.GetRequiredService<ApplicationDataSource>());
        return services;
    }
}
