using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Postgres;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

/// <summary>A machine that drills what a store holds.</summary>
internal sealed class DrillBench : IAsyncDisposable
{
    private readonly ServiceProvider services;

    public DrillBench(IObjectStore store, string directory, int postgresPort = 1, params (string Key, string Value)[] settings)
    {
        // The servers run as others, who must get through.
        File.SetUnixFileMode(directory, (UnixFileMode)0b111_001_001);
        var all = new Dictionary<string, string?>
        {
            ["Postgres:Host"] = "127.0.0.1",
            ["Postgres:Port"] = $"{postgresPort}",
            ["Postgres:Username"] = "postgres",
            ["Postgres:SslMode"] = "disable",
            ["Redis:Host"] = "127.0.0.1",
            ["Redis:Port"] = "1",
            ["Drill:Directory"] = directory,
            ["Drill:LoadTest:Duration"] = "00:00:01",
            ["Drill:LoadTest:Clients"] = "2",
            ["Drill:LoadTest:Percentile95"] = "00:00:30",
            ["Drill:RecoveryPoint"] = "1.00:00:00",
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var configuration = new ConfigurationBuilder().AddInMemoryCollection(all).Build();
        var collection = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(store).AddSingleton(AgentIdentity.OfThisProcess("drill"));
        collection.AddRepository(configuration).AddRetention(configuration).AddPostgres(configuration).AddRedis(configuration).AddRecovery(configuration).AddDrills(configuration);
        services = collection.BuildServiceProvider();
    }

    public DrillRunner Runner => services.GetRequiredService<DrillRunner>();

    public DrillReports Reports => services.GetRequiredService<DrillReports>();

    public IRehearsedSource Postgres => Source("postgres");

    public IRehearsedSource Redis => Source("redis");

    public async Task<DrillReport> RunAsync(DrillChoice? choice = null, params IRehearsedSource[] sources) =>
        (await Runner.RunAsync(
            sources.Length > 0 ? sources : [Postgres],
            choice ?? new DrillChoice(DrilledBackup.Newest, DrilledMoment.Latest),
            new Progress<TransferProgress>(),
            TestContext.Current.CancellationToken)).Report;

    public ValueTask DisposeAsync() => services.DisposeAsync();

    private IRehearsedSource Source(string name) => services.GetServices<ISnapshotSource>().OfType<IRehearsedSource>().Single(source => source.Name == name);
}
