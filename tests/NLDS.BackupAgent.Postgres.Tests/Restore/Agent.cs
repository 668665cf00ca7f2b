using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>The agent's PostgreSQL source over a store in memory: it tails and backs up a server, and restores.</summary>
internal sealed class Agent : IAsyncDisposable
{
    private readonly ServiceProvider services;
    private CancellationTokenSource? stop;
    private Task tail = Task.CompletedTask;

    private Agent(ServiceProvider services) => this.services = services;

    public PostgresSource Source => services.GetRequiredService<PostgresSource>();

    public PostgresCatalog Catalog => services.GetRequiredService<PostgresCatalog>();

    public Pruner Pruner => services.GetRequiredService<Pruner>();

    public BackupHolds Holds => services.GetRequiredService<BackupHolds>();

    public IWalFetcher Fetcher => services.GetRequiredService<IWalFetcher>();

    /// <param name="server">What to tail; null for an agent that only restores.</param>
    /// <param name="overrides">Configuration on top of what a test wants usually.</param>
    public static Agent For(
        PostgresServer? server, IObjectStore store, IReadOnlyDictionary<string, string?>? overrides = null, TargetSpace? space = null, TimeProvider? clock = null,
        AdoptionConsent? consent = null, AgentIdentity? identity = null, ILoggerProvider? log = null)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Postgres:Host"] = server?.Host ?? "127.0.0.1",
            ["Postgres:Port"] = $"{server?.Port ?? 1}",
            ["Postgres:Database"] = "postgres",
            ["Postgres:Username"] = PostgresServer.BackupRole,
            ["Postgres:Password"] = PostgresServer.BackupPassword,
            ["Postgres:SslMode"] = "disable",
            ["Postgres:Wal:FlushInterval"] = "00:00:00.1",
        };
        foreach (var (name, value) in overrides ?? new Dictionary<string, string?>())
        {
            settings[name] = value;
        }

        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        var services = new ServiceCollection().AddLogging().AddSingleton(clock ?? TimeProvider.System).AddSingleton(store).AddSingleton(consent ?? AdoptionConsent.None);
        if (log is not null)
        {
            services.AddSingleton(log);
        }

        if (identity is not null)
        {
            services.AddSingleton(identity);
        }

        services.AddRepository(configuration).AddRetention(configuration).AddPostgres(configuration);
        if (space is not null)
        {
            services.AddSingleton(space);
        }

        return new Agent(services.BuildServiceProvider());
    }

    public async Task<LogInventory> InventoryAsync() => await (await LogAsync()).ReadInventoryAsync(TestContext.Current.CancellationToken);

    public async Task<LogArchive> LogAsync() =>
        Catalog.OpenLog(new WalSegmentSize((await Catalog.RequireIdentityAsync(TestContext.Current.CancellationToken)).WalSegmentBytes));

    public async Task StartTailAsync()
    {
        stop = new CancellationTokenSource();
        tail = Source.TailAsync(stop.Token);
        await Eventually.TrueAsync(() => tail.IsFaulted || Source.Status.IsStreaming, "the tail streams");
        if (tail.IsFaulted)
        {
            await tail;
        }
    }

    public async Task StopTailAsync()
    {
        if (stop is not null)
        {
            await stop.CancelAsync();
            await tail.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.Dispose();
            stop = null;
        }
    }

    /// <summary>Waits until all that the server has is durable here.</summary>
    public async Task<string> CatchUpAsync(PostgresServer server)
    {
        var end = await server.ScalarAsync<string>("SELECT pg_current_wal_flush_lsn()::text");
        var timeline = await server.ScalarAsync<string>("SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)");
        await Eventually.TrueAsync(
            () => Source.Status is var status && status.Lineage == timeline && status.DurablePosition >= Lsn.Parse(end).Value,
            $"WAL up to {end} is durable");
        return end;
    }

    public async Task<string> BackUpAsync() => (await Source.TakeAsync(new Progress<TransferProgress>(), TestContext.Current.CancellationToken)).Id.ToString();

    public async Task<PostgresRestorePlan> PlanAsync(string directory, string? to = null, string? backup = null, params string[] tablespaces) =>
        (PostgresRestorePlan)await Source.PlanRestoreAsync(
            new RestoreRequest
            {
                TargetDirectory = directory,
                To = to,
                BackupId = backup,
                Options = new Dictionary<string, IReadOnlyList<string>> { ["tablespace"] = tablespaces },
            },
            TestContext.Current.CancellationToken);

    public Task RestoreAsync(PostgresRestorePlan plan) => Source.RestoreAsync(plan, new Progress<TransferProgress>(), TestContext.Current.CancellationToken);

    public async Task<PostgresRestorePlan> RestoreAsync(string directory, string? to = null, string? backup = null, params string[] tablespaces)
    {
        var plan = await PlanAsync(directory, to, backup, tablespaces);
        await RestoreAsync(plan);
        return plan;
    }

    public Task<VerifyReport> VerifyAsync(VerifyScope? scope = null) =>
        Source.VerifyAsync(scope ?? VerifyScope.All, new Progress<TransferProgress>(), TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await StopTailAsync();
        await services.DisposeAsync();
    }
}
