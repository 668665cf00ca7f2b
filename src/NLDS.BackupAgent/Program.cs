using NLDS.BackupAgent;
using NLDS.BackupAgent.ApplicationData;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Postgres;
using NLDS.BackupAgent.Recovery;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Verification;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.WalFetch;

if (await ShortWay.TryAsync(args, StartingPlace.OfThisProcess, TimeProvider.System) is { } code)
{
    return code;
}

using var stop = new CancellationTokenSource();
using var signals = WalFetchArguments.AreMeantBy(args) ? null : StopSignals.Cancelling(stop);
return await new CommandLine(House(), Surroundings.OfThisProcess()).InvokeAsync(args, stop.Token);

internal partial class Program
{
    /// <summary>The house, floor by floor.</summary>
    internal static FeatureList House() => new FeatureList()
        .Add<StorageOptions>("Storage", static (services, configuration) => services.AddStorage(configuration))
        .Add<RepositoryOptions>("Repository", static (services, configuration) => services.AddRepository(configuration))
        .Add<RetentionOptions>("Retention", static (services, configuration) => services.AddRetention(configuration))
        .Add<VerificationOptions>(
            "Verification",
            static (services, configuration) => services.AddVerification(configuration),
            new ScheduleKeys("verify", "Schedule", "TimeZone", JobKind.Verify))
        .AddSource<PostgresOptions>(
            "Postgres",
            PostgresServices.Source,
            static (services, configuration) => services.AddPostgres(configuration),
            [
                new ScheduleKeys("postgres-full", "FullBackup:Schedule", "FullBackup:TimeZone"),
                new ScheduleKeys("postgres-prune", "Retention:Schedule", "Retention:TimeZone", JobKind.Prune),
            ],
            PostgresServices.Restore)
        .AddSource<RedisOptions>(
            "Redis",
            RedisServices.Source,
            static (services, configuration) => services.AddRedis(configuration),
            [
                new ScheduleKeys("redis-base", "Snapshot:Schedule", "Snapshot:TimeZone"),
                new ScheduleKeys("redis-prune", "Retention:Schedule", "Retention:TimeZone", JobKind.Prune),
            ],
            RedisServices.Restore)
        .AddSource<KubernetesOptions>(
            "Kubernetes",
            KubernetesServices.Source,
            static (services, configuration) => services.AddKubernetes(configuration),
            [
                new ScheduleKeys("kubernetes-resources", "Schedule", "TimeZone"),
                new ScheduleKeys("kubernetes-prune", "Retention:Schedule", "Retention:TimeZone", JobKind.Prune),
            ],
            KubernetesServices.Restore)
        .AddSource<ApplicationDataOptions>(
            "ApplicationData",
            ApplicationDataServices.Source,
            static (services, configuration) => services.AddApplicationData(configuration),
            [
                new ScheduleKeys("application-data", "Schedule", "TimeZone"),
                new ScheduleKeys("application-data-prune", "Retention:Schedule", "Retention:TimeZone", JobKind.Prune),
            ],
            ApplicationDataServices.Restore)
        .AddWithJob<RecoveryOptions>(
            "Recovery",
            static (services, configuration) => services.AddRecovery(configuration),
            new ScheduleKeys("mark", "Mark:Schedule", "Mark:TimeZone", JobKind.Mark))
        .AddWithJob<DrillOptions>(
            "Drill",
            static (services, configuration) => services.AddDrills(configuration),
            new ScheduleKeys("dr-drill", "Schedule", "TimeZone", JobKind.Drill));
}
