using System.Globalization;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Torture.Stores;

namespace NLDS.BackupAgent.Torture.Postgres;

/// <summary>
/// Makes trouble of every kind while a load runs and writers note what the server answered. The repository must give back all that the agent had claimed to be durable, and
/// nothing that never was committed, at its end and at any moment before; and after each trouble the agent must be level with the server again by itself.
/// </summary>
internal sealed class PostgresTorture : IAsyncDisposable
{
    private const int Writers = 3;

    /// <summary>A base backup or a verification may be under way at the last look, with its connections and files.</summary>
    private const int HandlesOfNoLeak = 15;

    /// <summary>Each as often as it stands here. Some are nothing without the agent's end.</summary>
    private static readonly (int Weight, string Name, Func<Scene, Task> Make, bool EndsAgent)[] Troubles =
    [
        (5, "agent", Kills.OfAgentAsync, true),
        (5, "agent, again and again", Kills.OfAgentInARowAsync, true),
        (3, "server", Kills.OfServerAsync, false),
        (4, "server, again and again", Kills.OfServerInARowAsync, false),
        (3, "agent and server", Kills.OfBothAsync, true),
        (3, "agent and server, again and again", Kills.OfBothInARowAsync, true),
        (3, "verbs", Kills.OfVerbsAsync, false),
        (3, "one of the server's processes", Kills.OfServerProcessAsync, false),
        (2, "server stopped", Kills.StopServerAsync, false),
        (2, "failover to a standby", Forks.ToStandbyAsync, false),
        (2, "a new server from the repository", Forks.ToRestoredAsync, true),
        (1, "slot lost", SlotLoss.OfAsync, true),
        (2, "store away", Outages.OfStoreAsync, false),
        (2, "network", Outages.OfNetworkAsync, false),
        (2, "disk full", DiskFullAsync, false),
        (2, "clock jumps", ClockJumps.OfAsync, false),
    ];

    private readonly TortureOptions options;
    private readonly TemporaryDirectory? temporary;
    private readonly Scene scene;

    private PostgresTorture(TortureOptions options, TemporaryDirectory? temporary, Scene scene)
    {
        this.options = options;
        this.temporary = temporary;
        this.scene = scene;
    }

    public static async Task<TortureReport> RunAsync(TortureOptions options, Action<string> say)
    {
        var report = new TortureReport("postgres", options.Seed);
        var temporary = options.Directory is null ? new TemporaryDirectory() : null;
        await using var torture = new PostgresTorture(options, temporary, await SetAsync(options, options.Directory ?? temporary!.Path, report, say));
        try
        {
            await torture.RunAsync();
        }
        catch (Exception failure) when (failure is TortureException or TimeoutException or InvalidOperationException or Npgsql.NpgsqlException)
        {
            report.Failure = $"{failure.Message}\n{torture.scene.Agent.LastWords()}";
        }

        return report;
    }

    public async ValueTask DisposeAsync()
    {
        await scene.Agent.DisposeAsync();
        await scene.Server.DisposeAsync();
        scene.Claims.Dispose();
        if (scene.Report.Failure is not null && options.Directory is { } kept && !options.UsesS3)
        {
            scene.Say($"What is mounted in {kept} stays, to be looked at.");
            return;
        }

        await scene.Store.DisposeAsync();
        await scene.Disk.DisposeAsync();
        if (scene.Report.Failure is null)
        {
            temporary?.Dispose();
        }
    }

    private static async Task<Scene> SetAsync(TortureOptions options, string directory, TortureReport report, Action<string> say)
    {
        var disk = await Volume.MountAsync(Path.Combine(directory, "servers"));
        TortureStore store = options.UsesS3 ? await S3TortureStore.StartAsync() : new DirectoryTortureStore(await Volume.MountAsync(Path.Combine(directory, "backups")));
        var server = await ProtectedServer.StartAsync(Path.Combine(disk.Path, "server-0"));
        await server.Server.ExecuteAsync(HeldLedger.Schema);
        var port = FreePorts.Take(1)[0];

        // Every second seed is one of recovery point zero.
        var isSynchronous = options.Seed % 2 == 0;
        var clock = new AgentClock(Path.Combine(directory, "clock"));
        var agent = new AgentProcess(options.Agent, directory, new Dictionary<string, string>(store.Settings.Concat(clock.Settings).Concat(Settings(server.Proxy.Port, port, isSynchronous))));
        var (random, ledger) = (new Random(options.Seed), new Ledger(Writers));
        var claims = new AgentClaims(new Uri($"http://127.0.0.1:{port}/status"), ledger);
        return new Scene
        {
            Random = random,
            Report = report,
            Say = say,
            Agent = agent,
            Clock = clock,
            Disk = disk,
            Store = store,
            Server = server,
            SparesAgent = options.SparesAgent,
            Ledger = ledger,
            Claims = claims,
            Gauge = new AgentGauge(report),
            Workload = new Workload(server, ledger, isSynchronous, options.Seed, report),
            Check = new LedgerCheck(agent, Path.Combine(directory, "restored"), ledger, claims, random, report),
        };
    }

    private static Dictionary<string, string> Settings(int serverPort, int ownPort, bool isSynchronous) => new()
    {
        ["Postgres__Host"] = "127.0.0.1",
        ["Postgres__Port"] = serverPort.ToString(CultureInfo.InvariantCulture),
        ["Postgres__Username"] = PostgresServer.BackupRole,
        ["Postgres__Password"] = PostgresServer.BackupPassword,
        ["Postgres__SslMode"] = "disable",
        ["Postgres__Wal__FlushInterval"] = "00:00:00.5",
        ["Postgres__Wal__Synchronous"] = isSynchronous ? "true" : "false",
        ["Postgres__FullBackup__Schedule"] = "0/20 * * * * ?",
        ["Postgres__Retention__Schedule"] = "",
        ["Postgres__Retention__KeepDaily"] = "0",
        ["Postgres__Retention__KeepWeekly"] = "0",
        ["Postgres__Retention__KeepMonthly"] = "0",
        ["Postgres__Retention__KeepLast"] = "3",
        ["Postgres__Retention__RecoveryWindow"] = "00:02:00",
        ["Agent__Urls"] = $"http://127.0.0.1:{ownPort}",
    };

    private async Task RunAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        using var stopping = new CancellationTokenSource();
        scene.Agent.Start();
        await scene.Workload.StartAsync();
        var listening = scene.Claims.ListenAsync(stopping.Token);
        try
        {
            await scene.UntilLevelAsync();
            var (slots, content) = (await CountSlotsAsync(), await scene.Store.CountAsync());
            for (var round = 1; round <= options.Kills && TimeProvider.System.GetElapsedTime(began) < options.Duration; round++)
            {
                await scene.PauseAsync(200, 2000);
                await MakeTroubleAsync(round);
            }

            await EndAsync(slots, content);
        }
        finally
        {
            await stopping.CancelAsync();
            await scene.Server.KillAsync();
            await scene.Workload.StopAsync();
            await listening;
        }
    }

    private async Task MakeTroubleAsync(int round)
    {
        var (name, make) = Choose();
        scene.Say($"{round}: {name}");
        var maintenance = make == Outages.OfStoreAsync ? Task.CompletedTask : Maintenance.Begin(scene);
        await make(scene);
        await maintenance;
        scene.Report.Count("rounds");
        await scene.UntilLevelAsync();
        if (scene.OneIn(2))
        {
            await scene.Check.PastAsync();
        }
    }

    /// <summary>Of the store or of the server, where there is a disk that can be full.</summary>
    private static Task DiskFullAsync(Scene scene)
    {
        var ofServer = scene.Disk.CanBeFull && scene.Server.DataDirectory.StartsWith(scene.Disk.Path, StringComparison.Ordinal);
        var ofStore = scene.Store.CanBeFull;
        return (ofServer, ofStore) switch
        {
            (true, true) when scene.OneIn(2) => Outages.OfServersDiskAsync(scene),
            (_, true) => Outages.OfStoresDiskAsync(scene),
            (true, _) => Outages.OfServersDiskAsync(scene),
            _ => NotDone(scene, "disk full: only root can mount one"),
        };
    }

    private static Task NotDone(Scene scene, string what)
    {
        scene.Report.Count($"NOT DONE: {what}");
        return Task.CompletedTask;
    }

    private (string Name, Func<Scene, Task> Make) Choose()
    {
        var troubles = Troubles.Where(trouble => !(trouble.EndsAgent && scene.SparesAgent)).ToList();
        var chosen = scene.Random.Next(troubles.Sum(trouble => trouble.Weight));
        foreach (var (weight, name, make, _) in troubles)
        {
            chosen -= weight;
            if (chosen < 0)
            {
                return (name, make);
            }
        }

        throw new InvalidOperationException("The weights have another sum than their sum.");
    }

    /// <summary>With everybody at rest: all that was ever answered is there, and nothing is left over.</summary>
    private async Task EndAsync(long slotsBefore, StoreContent contentBefore)
    {
        await scene.Workload.StopAsync();
        await scene.UntilLevelAsync();
        await scene.Check.LatestAsync();
        await scene.Agent.RunAsync("verify", "postgres");
        scene.Report.Count("verified clean");
        var slots = await CountSlotsAsync();
        scene.Report.FromTo("replication slots", slotsBefore, slots);
        (await scene.Store.CountAsync()).Report(scene.Report, contentBefore);
        var (handles, looks) = scene.Gauge.ReportTheOldest();
        if (slots != 1)
        {
            throw new TortureException($"The server has {slots} replication slots at the end.");
        }

        if (handles > HandlesOfNoLeak)
        {
            throw new TortureException($"The agent has {handles} file handles more than {looks} rounds before.");
        }
    }

    private Task<long> CountSlotsAsync() => scene.Server.Server.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots");
}
