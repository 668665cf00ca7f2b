using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Checks;
using NLDS.BackupAgent.Kubernetes.Rehearsal;
using NLDS.BackupAgent.Kubernetes.Restore;
using NLDS.BackupAgent.Kubernetes.Verification;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes;

/// <summary>The one door to this source.</summary>
public static class KubernetesServices
{
    /// <summary>The source's name in commands, keys and metrics.</summary>
    public const string Source = KubernetesCatalog.Source;

    /// <summary>The option of a restore that a drill makes into its scratch namespace.</summary>
    public const string Rehearsal = RestoreOptionNames.Rehearsal;

    /// <summary>What <c>restore kubernetes</c> takes beside the options that every restore has. It goes back into the cluster, to the moment of a backup.</summary>
    public static RestoreSyntax Restore { get; } = new(
    [
        new RestoreOption(RestoreOptionNames.Namespace, "NS", "Where to restore to; the namespace that the backup is of, unless said. The server is the configuration's."),
        new RestoreOption(
            RestoreOptionNames.Mode,
            "plan|create|merge|replace",
            "create (the default) makes what is missing and changes nothing that is there; merge sets the backup's fields; replace makes each object what it was; plan lets the server try each object, and does nothing."),
        new RestoreOption(RestoreOptionNames.Only, "KIND[/NAME],…", "Only these: kinds such as secrets or deployments.apps, or single objects. The namespace itself is always made.", AllowsMany: true),
        new RestoreOption(RestoreOptionNames.Except, "KIND[/NAME],…", "All but these.", AllowsMany: true),
        new RestoreOption(RestoreOptionNames.ForceConflicts, null, "With merge: take back fields that another owner has set since."),
    ])
    {
        IsToDirectory = false,
        ReachesMoments = false,
    };

    /// <summary>Adds Kubernetes as <see cref="ISnapshotSource"/> and <see cref="IRetainedSource"/>, and <see cref="KubernetesCluster"/> for the floor above.</summary>
    public static IServiceCollection AddKubernetes(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<KubernetesOptions>().Bind(configuration.GetSection(KubernetesOptions.Section));
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<KubernetesOptions>>().Value);
        services.AddSingleton<ArchiveReader>();
        services.AddSingleton<BackupTaker>();
        services.AddSingleton<RestorePlanner>();
        services.AddSingleton<Restorer>();
        services.AddSingleton<KubernetesVerifier>();
        services.AddSingleton<KubernetesChecks>();
        services.AddSingleton<KubernetesCluster>();
        services.AddSingleton<ScratchNamespaces>();
        services.AddSingleton<KubernetesSource>();
        services.AddSingleton<ISnapshotSource>(provider => provider.GetRequiredService<KubernetesSource>());
        return services.AddSingleton<IRetainedSource>(provider => provider.GetRequiredService<KubernetesSource>());
    }
}
