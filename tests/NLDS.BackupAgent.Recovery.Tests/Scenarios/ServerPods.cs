using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary>
/// A server's pod: first <c>restore … --if-empty</c>, then the server, and an agent beside it that tails it. Where its workload says which containers it has, those it has.
/// </summary>
/// <param name="ns">The namespace of its workload.</param>
/// <param name="settings">What the pod's own configuration says.</param>
internal abstract class ServerPod(ServiceBench bench, string ns, string source, string directory, params (string Key, string Value)[] settings) : IPodRunner, IAsyncDisposable
{
    private Agent? agent;

    protected ServiceBench Bench { get; } = bench;

    protected string Directory { get; } = directory;

    /// <summary>The bootstrap stays at this step until its pod is deleted.</summary>
    public string? HoldsAt { get; set; }

    /// <summary>How often a bootstrap has come to its end, and how.</summary>
    public List<BootstrapAction> Bootstraps { get; } = [];

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        Runs = true;
        if (Template.Fills is not { } fills)
        {
            return;
        }

        await using var services = Bench.Open($"{source}-0", more: [.. settings, .. fills.Environment]);
        var (server, bootstrap) = ((IDirectorySource)ServiceBench.SourceOf(services, source), services.GetRequiredService<ServerBootstrap>());
        bootstrap.Reached = step => _ = step == HoldsAt && cancellationToken.WaitHandle.WaitOne() ? throw new OperationCanceledException(cancellationToken) : 0;
        var wanted = new RestoreRequest { TargetDirectory = Directory, TakesPlace = !fills.Words.Contains("--as-copy") };
        var plan = await bootstrap.PlanAsync(server, wanted, cancellationToken);
        Bootstraps.Add((await bootstrap.RunAsync(server, wanted, plan, new Progress<TransferProgress>(), cancellationToken)).Action);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await StartServerAsync();
        if (Template.HasAgent)
        {
            agent = new Agent(Bench.Open($"{source}-0", more: settings), source);
            await agent.UntilStreamingAsync();
        }
    }

    public async Task StopAsync()
    {
        await StopServerAsync();
        if (agent is { } running)
        {
            agent = null;
            await running.DisposeAsync();
        }

        if (LosesVolume && System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }

        Runs = false;
    }

    /// <summary>Its volume goes with it.</summary>
    public bool LosesVolume { get; init; }

    public ValueTask DisposeAsync() => new(StopAsync());

    /// <summary>Whether any of its containers runs.</summary>
    public bool Runs { get; private set; }

    /// <summary>The agent's own claim.</summary>
    protected ulong Durable => agent?.Tail.Status.DurablePosition ?? 0;

    private PodTemplate Template => PodTemplate.Read(Bench.Cluster.Find("statefulsets.apps", ns, source));

    protected abstract Task StartServerAsync();

    protected abstract Task StopServerAsync();

    /// <summary>The sidecar.</summary>
    private sealed class Agent : IAsyncDisposable
    {
        private readonly ServiceProvider services;
        private readonly CancellationTokenSource stop = new();
        private readonly Task tail;

        public Agent(ServiceProvider services, string source)
        {
            this.services = services;
            Tail = services.GetServices<IContinuousSource>().Single(tailed => tailed.Name == source);
            tail = Tail.TailAsync(stop.Token);
        }

        public IContinuousSource Tail { get; }

        public async Task UntilStreamingAsync()
        {
            await Eventually.TrueAsync(() => tail.IsFaulted || Tail.Status.IsStreaming, $"the agent of {Tail.Name} streams", TimeSpan.FromMinutes(1), () => Tail.Status.ToString());
            if (tail.IsFaulted)
            {
                await tail;
            }
        }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await tail.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.Dispose();
            await services.DisposeAsync();
        }
    }
}

internal sealed class PostgresPod(ServiceBench bench, string ns, string directory, int port) : ServerPod(bench, ns, "postgres", directory, ("Postgres:Port", $"{port}"))
{
    private PostgresServer? server;

    public PostgresServer Server => server ?? throw new InvalidOperationException("PostgreSQL does not run.");

    /// <summary>Writes entries, and waits until they are durable in the store.</summary>
    public async Task AppendAsync(int first, int last)
    {
        await Server.ExecuteAsync($"INSERT INTO ledger SELECT generate_series({first}, {last})");
        var end = await Server.ScalarAsync<decimal>("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn");
        await Eventually.TrueAsync(() => Durable >= (ulong)end, $"entry {last} is durable");
    }

    public async Task<(long Count, int Last)> ReadAsync() =>
        (await Server.ScalarAsync<long>("SELECT count(*) FROM ledger"), await Server.ScalarAsync<int>("SELECT max(entry) FROM ledger"));

    /// <summary>The server dies, and with it its volume.</summary>
    public async Task DestroyAsync()
    {
        await Server.KillAsync();
        System.IO.Directory.Delete(Path.Combine(Directory, "base"), recursive: true);
    }

    protected override async Task StartServerAsync() => server = File.Exists(Path.Combine(Directory, "PG_VERSION"))
        ? await PostgresServer.StartOnDirectoryAsync(Directory, 15, port)
        : await PostgresServer.StartNewInAsync(
            Directory, new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" } }, port);

    protected override async Task StopServerAsync()
    {
        if (server is { } running)
        {
            server = null;
            await running.DisposeAsync();
        }
    }
}

internal sealed class RedisPod(ServiceBench bench, string ns, string directory, int port) : ServerPod(bench, ns, "redis", directory, ("Redis:Port", $"{port}"))
{
    private RedisServer? server;

    public RedisServer Server => server ?? throw new InvalidOperationException("Redis does not run.");

    /// <summary>Writes something, and waits until it is durable in the store: the server counts the agent among those that have it.</summary>
    public async Task WriteAsync(string command)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", Server.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{command}\r\nWAIT 1 30000\r\nQUIT\r\n"), TestContext.Current.CancellationToken);
        using var reader = new StreamReader(client.GetStream());
        (await reader.ReadToEndAsync(TestContext.Current.CancellationToken)).Split("\r\n")[1].ShouldBe(":1", $"'{command}' is durable");
    }

    public Task<string> GetAsync(string key) => AskAsync($"GET {key}");

    private async Task<string> AskAsync(string question)
    {
        await using var services = Bench.Open("client");
        return await ((IServerSource)ServiceBench.SourceOf(services, "redis")).AskServerAsync(question, TestContext.Current.CancellationToken);
    }

    protected override async Task StartServerAsync()
    {
        System.IO.Directory.CreateDirectory(Directory);
        server = await RedisServer.StartInAsync(Directory, port, "--appendonly", "yes");
    }

    protected override async Task StopServerAsync()
    {
        if (server is { } running)
        {
            server = null;
            await running.DisposeAsync();
        }
    }
}
