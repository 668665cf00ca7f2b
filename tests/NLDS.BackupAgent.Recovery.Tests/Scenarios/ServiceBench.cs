using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.ApplicationData;
using NLDS.BackupAgent.Kubernetes;
using NLDS.BackupAgent.Postgres;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Recovery.Tests.Scenarios;

/// <summary>
/// A whole service: the recorded namespace in the double of an API server, whose stateful sets run real servers with their agents beside them, one store, and whoever
/// recovers it all.
/// </summary>
internal sealed class ServiceBench : IAsyncDisposable
{
    public const string Namespace = "nlds";

    /// <summary>Where drills are held.</summary>
    public const string Scratch = "nlds-dr-test";

    private const string Key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, string?> settings;
    private readonly IObjectStore store = new MemoryObjectStore();

    private ServiceBench(ApiServerDouble cluster)
    {
        Cluster = cluster;
        var ports = FreePorts.Take(4);
        settings = new Dictionary<string, string?>
        {
            ["Repository:Encryption:Key"] = Key,
            ["Postgres:Host"] = "127.0.0.1",
            ["Postgres:Port"] = $"{ports[0]}",
            ["Postgres:Username"] = PostgresServer.BackupRole,
            ["Postgres:Password"] = PostgresServer.BackupPassword,
            ["Postgres:SslMode"] = "disable",
            ["Postgres:Wal:FlushInterval"] = "00:00:00.1",
            ["Redis:Host"] = "127.0.0.1",
            ["Redis:Port"] = $"{ports[1]}",
            ["Redis:Stream:FlushInterval"] = "00:00:00.1",
            ["Kubernetes:Namespace"] = Namespace,
            ["Kubernetes:Kubeconfig"] = cluster.WriteKubeconfig(directory["kubeconfig"]),
            ["ApplicationData:Enabled"] = "true",
            ["ApplicationData:Postgres:Username"] = "postgres",
            ["ApplicationData:DataSets:api_keys:Enabled"] = "false",
            ["ApplicationData:DataSets:system_metrics:Enabled"] = "false",
            ["Recovery:Workloads:0"] = "deployments/nlds-api",
            ["Recovery:Timeouts:Restore"] = "00:02:00",
            ["Recovery:Timeouts:Replay"] = "00:02:00",
            ["Recovery:Checks:Questions:0:Name"] = "entries",
            ["Recovery:Checks:Questions:0:Question"] = "SELECT count(*) FROM ledger",
            ["Recovery:Checks:Questions:0:AtLeast"] = "1",
        };
        Postgres = new PostgresPod(this, Namespace, directory["postgres/data"], ports[0]);
        Redis = new RedisPod(this, Namespace, directory["redis/data"], ports[1]);
        PostgresCopy = new PostgresPod(this, Scratch, directory["scratch-postgres/data"], ports[2]) { LosesVolume = true };
        RedisCopy = new RedisPod(this, Scratch, directory["scratch-redis/data"], ports[3]) { LosesVolume = true };
        settings["Drill:Kubernetes:Servers:postgres"] = $"127.0.0.1:{ports[2]}";
        settings["Drill:Kubernetes:Servers:redis"] = $"127.0.0.1:{ports[3]}";
    }

    public ApiServerDouble Cluster { get; }

    public PostgresPod Postgres { get; }

    public RedisPod Redis { get; }

    public PostgresPod PostgresCopy { get; }

    public RedisPod RedisCopy { get; }

    /// <summary>What whoever recovers was told, line by line.</summary>
    public StringBuilder Told { get; } = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The service runs, and is backed up into memory.</summary>
    public static async Task<ServiceBench> StartAsync(params (string Key, string Value)[] more)
    {
        var bench = await OpenAsync(more);
        await bench.BackUpAsync("postgres");
        await bench.BackUpAsync("redis");
        return bench;
    }

    /// <summary>The service runs, and has no backup yet.</summary>
    public static async Task<ServiceBench> OpenAsync(params (string Key, string Value)[] more)
    {
        var bench = new ServiceBench(await ApiServerDouble.StartAsync());
        foreach (var (key, value) in more)
        {
            bench.settings[key] = value;
        }

        Directory.CreateDirectory(bench.directory["postgres"]);
        Directory.CreateDirectory(bench.directory["redis"]);
        Directory.CreateDirectory(bench.directory["scratch-postgres"]);
        Directory.CreateDirectory(bench.directory["scratch-redis"]);
        bench.Cluster.LoadRecordedNamespace();
        bench.Cluster.RunsWorkloads = true;
        bench.Cluster.Change("statefulsets.apps", Namespace, "redis", set => set["spec"]!["replicas"] = 1);
        foreach (var pod in bench.Cluster.List("pods", Namespace).Where(pod => pod["metadata"]!["labels"]?["app"]?.GetValue<string>() is "postgres" or "redis"))
        {
            bench.Cluster.Remove("pods", Namespace, pod["metadata"]!["name"]!.GetValue<string>());
        }

        // No node ran the recorded ones.
        foreach (var pod in bench.Cluster.List("pods", Namespace))
        {
            bench.Cluster.Change("pods", Namespace, pod["metadata"]!["name"]!.GetValue<string>(), Ready);
        }

        bench.Cluster.Run(Namespace, "postgres", bench.Postgres);
        bench.Cluster.Run(Namespace, "redis", bench.Redis);
        bench.Cluster.Run(Scratch, "postgres", bench.PostgresCopy);
        bench.Cluster.Run(Scratch, "redis", bench.RedisCopy);
        bench.Cluster.Reconcile(Namespace);
        await bench.UntilReadyAsync();
        await bench.Postgres.Server.ExecuteAsync($"""
            CREATE TABLE ledger (entry int PRIMARY KEY);
            CREATE TABLE user_sessions (session_id text PRIMARY KEY, user_id bigint, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, session_data jsonb);
            GRANT SELECT ON ledger TO {PostgresServer.BackupRole};
            """);
        return bench;
    }

    public Task UntilReadyAsync() => Eventually.TrueAsync(
        () => Cluster.Find("pods", Namespace, "postgres-0") is { } postgres && Cluster.Find("pods", Namespace, "redis-0") is { } redis && IsReady(postgres) && IsReady(redis),
        "both servers' pods are ready",
        TimeSpan.FromMinutes(1),
        () => $"{Cluster.Find("pods", Namespace, "postgres-0")?["status"]}{Cluster.Find("pods", Namespace, "redis-0")?["status"]}");

    /// <summary>Another process: its own clients, and nothing in common but the store and the cluster.</summary>
    /// <param name="instance">The agent's name.</param>
    /// <param name="process">A process of another machine; this one's unless said.</param>
    /// <param name="more">What this process's configuration says beside the others'.</param>
    public ServiceProvider Open(string instance, ProcessIdentity? process = null, params IReadOnlyList<(string Key, string Value)> more)
    {
        var own = new Dictionary<string, string?>(settings);
        foreach (var (key, value) in more)
        {
            own[key] = value;
        }

        var configuration = new ConfigurationBuilder().AddInMemoryCollection(own).Build();
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System);
        _ = settings.ContainsKey("Storage:Provider") ? services.AddStorage(configuration) : services.AddSingleton(store);
        services.AddSingleton(process is null ? AgentIdentity.OfThisProcess(instance) : new AgentIdentity(instance, "elsewhere", process)).AddSingleton(AdoptionConsent.None);
        services.AddRepository(configuration).AddRetention(configuration).AddPostgres(configuration).AddRedis(configuration).AddKubernetes(configuration).AddApplicationData(configuration).AddRecovery(configuration).AddDrills(configuration);
        return services.BuildServiceProvider();
    }

    public async Task BackUpAsync(string source)
    {
        await using var services = Open("backup");
        await SourceOf(services, source).TakeAsync(new Progress<TransferProgress>(), Token);
    }

    /// <summary>What <c>recover</c> does, said yes to.</summary>
    /// <param name="scenario">Which.</param>
    /// <param name="arguments">What was asked for.</param>
    /// <param name="reached">Told what is done and what is written; an exception there is as good as a kill.</param>
    /// <param name="process">Who does it, when not this process.</param>
    public async Task<RecoveryReport> RecoverAsync(
        string scenario, IReadOnlyDictionary<string, string>? arguments = null, Action<string>? reached = null, ProcessIdentity? process = null)
    {
        await using var services = Open("operator", process);
        services.GetRequiredService<RunbookEngine>().Reached = reached ?? (_ => { });
        var recoveries = services.GetRequiredService<Recoveries>();
        return (await recoveries.RunAsync(await recoveries.PlanAsync(Request(services, scenario, arguments), Token), Watch(), Token)).Report;
    }

    public async Task<RecoveryPlan> PlanAsync(string scenario, IReadOnlyDictionary<string, string>? arguments = null)
    {
        await using var services = Open("operator");
        return await services.GetRequiredService<Recoveries>().PlanAsync(Request(services, scenario, arguments), Token);
    }

    public async Task<RecoveryReport> UndoAsync(string scenario)
    {
        await using var services = Open("operator");
        return (await services.GetRequiredService<Recoveries>().UndoAsync(Request(services, scenario, null), Watch(), Token)).Report;
    }

    public static ISnapshotSource SourceOf(ServiceProvider services, string name) => services.GetServices<ISnapshotSource>().Single(source => source.Name == name);

    /// <summary>What is declared in the namespace, by kind and name; not what the cluster itself makes.</summary>
    public IReadOnlyList<string> Declared() =>
    [
        .. Cluster.Resources(Namespace).Except(["events", "pods", "endpointslices.discovery.k8s.io", "controllerrevisions.apps", "leases.coordination.k8s.io", "replicasets.apps", "jobs.batch", "endpoints"])
            .SelectMany(resource => Cluster.List(resource, Namespace)
                .Where(value => value["metadata"]!["ownerReferences"] is null)
                .Select(value => $"{resource}/{value["metadata"]!["name"]}"))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The namespace is gone, and so are the servers' disks.</summary>
    public async Task LoseEverythingAsync(bool volumes = true)
    {
        Cluster.Wipe(Namespace);
        await Eventually.TrueAsync(() => !Postgres.Runs && !Redis.Runs, "the servers have ended");
        if (volumes)
        {
            foreach (var volume in (string[])["postgres", "redis"])
            {
                Directory.Delete(directory[volume], recursive: true);
                Directory.CreateDirectory(directory[volume]);
            }
        }
    }

    public int Replicas(string workload) => Cluster.Find($"{workload.Split('/')[0]}.apps", Namespace, workload.Split('/')[1])!["spec"]!["replicas"]!.GetValue<int>();

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await Postgres.DisposeAsync();
        await Redis.DisposeAsync();
        await PostgresCopy.DisposeAsync();
        await RedisCopy.DisposeAsync();
        directory.Dispose();
    }

    private static RecoverRequest Request(ServiceProvider services, string scenario, IReadOnlyDictionary<string, string>? arguments) =>
        new(scenario, arguments ?? new Dictionary<string, string>(), "somebody@somewhere") { Sources = [.. services.GetServices<ISnapshotSource>()] };

    public static void Ready(JsonObject pod) => pod["status"] = JsonNode.Parse("""{ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }""");

    private static bool IsReady(JsonObject pod) => pod["status"]?["conditions"]?[0]?["status"]?.GetValue<string>() == "True";

    private RecoveryWatch Watch() => new(line => Told.AppendLine(line), new Progress<TransferProgress>());
}
