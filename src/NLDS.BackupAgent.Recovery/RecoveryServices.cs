using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Forecast;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Recovery.Scenarios;
using NLDS.BackupAgent.Repository.Leases;

namespace NLDS.BackupAgent.Recovery;

public static class RecoveryServices
{
    /// <summary>Adds the bootstrap of servers, its standing requests, marks, and the scenarios, over the registered repository and cluster.</summary>
    public static IServiceCollection AddRecovery(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RecoveryOptions>().Bind(configuration.GetSection(RecoveryOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<RecoveryOptions>>().Value);
        services.AddSingleton<StandingRequests>();
        services.AddSingleton<RecoveryMarks>();
        services.AddSingleton<RunJournal>();
        services.AddSingleton<RecoveryReports>();
        services.AddSingleton<RunbookEngine>();
        services.AddSingleton<HttpProbe>();
        services.AddSingleton<Applications>();
        services.AddSingleton<ServerRestores>();
        services.AddSingleton<ServiceChecks>();
        services.AddSingleton<IScenario, PodScenario>();
        services.AddSingleton<IScenario, DatabaseScenario>();
        services.AddSingleton<IScenario, ClusterScenario>();
        services.AddSingleton(provider => new Recoveries(
            provider.GetServices<IScenario>(),
            provider.GetRequiredService<RunJournal>(),
            provider.GetRequiredService<RunbookEngine>(),
            provider.GetRequiredService<WriterLeases>(),
            provider.GetRequiredService<TimeProvider>()));
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
        services.AddSingleton<DrillRecovery>();
        services.AddSingleton<DrillRunner>();
        return services.AddSingleton(provider => new KubernetesDrill(
            provider.GetRequiredService<DrillReports>(),
            provider.GetRequiredService<DrillOptions>(),
            provider.GetRequiredService<DrillRecovery>(),
            provider.GetRequiredService<KubernetesCluster>(),
            provider.GetRequiredService<ScratchNamespaces>(),
            provider.GetRequiredService<WriterLeases>(),
            provider.GetRequiredService<AgentIdentity>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<KubernetesDrill>>()));
    }
}
