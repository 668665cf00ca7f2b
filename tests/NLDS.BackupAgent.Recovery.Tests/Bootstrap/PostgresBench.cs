using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Postgres;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Bootstrap;

/// <summary>An agent over a store: it tails and backs up a server, and is what runs before the server's start.</summary>
internal sealed class PostgresBench : IAsyncDisposable
{
    private readonly ServiceProvider services;
    private CancellationTokenSource? stop;
    private Task tail = Task.CompletedTask;

    private PostgresBench(ServiceProvider services) => this.services = services;

    public IDirectorySource Source => (IDirectorySource)services.GetRequiredService<ISnapshotSource>();

    public IContinuousSource Tail => services.GetRequiredService<IContinuousSource>();

    public ServerBootstrap Bootstrap => services.GetRequiredService<ServerBootstrap>();

    public StandingRequests Requests => services.GetRequiredService<StandingRequests>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="server">What to tail; null where only a start is prepared.</param>
    public static PostgresBench For(PostgresServer? server, IObjectStore store, string instance = "postgres-0", int keepAside = 2, AdoptionConsent? consent = null, TimeProvider? clock = null)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Postgres:Host"] = "127.0.0.1",
            ["Postgres:Port"] = $"{server?.Port ?? 1}",
            ["Postgres:Username"] = PostgresServer.BackupRole,
            ["Postgres:Password"] = PostgresServer.BackupPassword,
            ["Postgres:SslMode"] = "disable",
            ["Postgres:Wal:FlushInterval"] = "00:00:00.1",
            ["Recovery:KeepAside"] = $"{keepAside}",
        };
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        var services = new ServiceCollection().AddLogging().AddSingleton(clock ?? TimeProvider.System).AddSingleton(store);
        services.AddSingleton(AgentIdentity.OfThisProcess(instance)).AddSingleton(consent ?? AdoptionConsent.None);
        services.AddRepository(configuration).AddRetention(configuration).AddPostgres(configuration).AddRecovery(configuration);
        return new PostgresBench(services.BuildServiceProvider());
    }

    public async Task StartTailAsync()
    {
        stop = new CancellationTokenSource();
        tail = Tail.TailAsync(stop.Token);
        await Eventually.TrueAsync(() => tail.IsFaulted || Tail.Status.IsStreaming, "the tail streams");
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

    public async Task CatchUpAsync(PostgresServer server)
    {
        var end = await server.ScalarAsync<decimal>("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn");
        await Eventually.TrueAsync(() => Tail.Status.DurablePosition >= (ulong)end, $"WAL up to {end} is durable");
    }

    public Task BackUpAsync() => Source.TakeAsync(new Progress<TransferProgress>(), Token);

    public Task<BootstrapPlan> PlanAsync(string directory, bool asCopy = false) => Bootstrap.PlanAsync(Source, Wanted(directory, asCopy), Token);

    /// <summary>What <c>restore postgres --if-empty</c> does.</summary>
    /// <param name="directory">The server's.</param>
    /// <param name="asCopy"><c>--as-copy</c>.</param>
    public async Task<BootstrapOutcome> StartAsync(string directory, bool asCopy = false)
    {
        var plan = await PlanAsync(directory, asCopy);
        return await Bootstrap.RunAsync(Source, Wanted(directory, asCopy), plan, new Progress<TransferProgress>(), Token);
    }

    public async Task<StandingRequest> RequestAsync(string? to = null) =>
        (await Requests.RequestAsync(Source, new RestoreRequest { To = to }, "somebody@somewhere", Token)).Request;

    public async ValueTask DisposeAsync()
    {
        await StopTailAsync();
        await services.DisposeAsync();
    }

    private static RestoreRequest Wanted(string directory, bool asCopy = false) => new() { TargetDirectory = directory, TakesPlace = !asCopy };
}
