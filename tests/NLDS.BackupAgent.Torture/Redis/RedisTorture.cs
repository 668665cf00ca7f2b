using System.Globalization;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Torture.Stores;

namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>
/// Kills the agent, the server, or both, once or many times in a row, while a load runs and a writer notes what WAIT confirmed. After each kill, before anything is started again, the repository must
/// give back all that was confirmed and nothing that never was; and at any time each quiet moment so far exactly as it was.
/// </summary>
internal sealed class RedisTorture : IAsyncDisposable
{
    private static readonly string[] AppendOnly = ["--appendonly", "yes", "--save", ""];
    private static readonly string[] OldFile = ["--appendonly", "no", "--save", "1 1"];
    private static readonly string[] Nothing = ["--appendonly", "no", "--save", ""];
    private static readonly string[][] Persistence = [AppendOnly, AppendOnly, OldFile, Nothing];

    private static readonly string[][] Verbs = [["backup", "redis"], ["prune", "--allow-large"], ["verify", "redis"], ["list"]];

    /// <summary>Milliseconds in which the agent has come to its work, on a machine that has some more to do.</summary>
    private const int StartTime = 1500;

    private readonly TortureOptions options;
    private readonly Action<string> say;
    private readonly TortureReport report;
    private readonly Random random;
    private readonly TemporaryDirectory? temporary;
    private readonly string directory;
    private readonly History history = new();
    private readonly RestoreCheck check;
    private readonly AgentProcess agent;
    private readonly RedisServer server;
    private readonly TortureStore store;
    private readonly AgentGauge gauge;
    private readonly Writer writer;
    private string[] persistence;
    private ServerProcess? load;

    private RedisTorture(TortureOptions options, Action<string> say, TortureReport report, TemporaryDirectory? temporary, RedisServer server, TortureStore store)
    {
        this.options = options;
        this.say = say;
        this.report = report;
        this.temporary = temporary;
        this.server = server;
        this.store = store;
        gauge = new AgentGauge(report);
        directory = Path.GetDirectoryName(server.Directory)!;
        random = new Random(options.Seed);
        persistence = AppendOnly;
        agent = new AgentProcess(options.Agent, directory, new Dictionary<string, string>(store.Settings.Concat(Settings(server.Port))));
        writer = new Writer(server.Port, options.Seed, history, report);
        check = new RestoreCheck(agent, Path.Combine(directory, "restored"), random, report);
    }

    public static async Task<TortureReport> RunAsync(TortureOptions options, Action<string> say)
    {
        var report = new TortureReport("redis", options.Seed);
        var temporary = options.Directory is null ? new TemporaryDirectory() : null;
        var directory = Directory.CreateDirectory(Path.Combine(options.Directory ?? temporary!.Path, "server")).FullName;
        TortureStore store = options.UsesS3 ? await S3TortureStore.StartAsync() : new DirectoryTortureStore(Volume.Plain(Path.GetDirectoryName(directory)!));
        await using var torture = new RedisTorture(options, say, report, temporary, await RedisServer.StartInAsync(directory, [.. ServerSettings, .. AppendOnly]), store);
        try
        {
            await torture.RunAsync();
        }
        catch (Exception failure) when (failure is TortureException or TimeoutException or InvalidOperationException)
        {
            report.Failure = $"{failure.Message}\n{torture.agent.LastWords()}";
        }

        return report;
    }

    public async ValueTask DisposeAsync()
    {
        await StopLoadAsync();
        await agent.DisposeAsync();
        await server.DisposeAsync();
        await store.DisposeAsync();
        if (report.Failure is null)
        {
            temporary?.Dispose();
        }
    }

    /// <summary>The backlog holds what comes while an agent is away, so that its return is a partial resynchronisation.</summary>
    private static string[] ServerSettings => ["--repl-backlog-size", "256mb", "--client-output-buffer-limit", "replica 512mb 512mb 60"];

    private static Dictionary<string, string> Settings(int port) => new()
    {
        ["Postgres__Enabled"] = "false",
        ["Redis__Host"] = "127.0.0.1",
        ["Redis__Port"] = port.ToString(CultureInfo.InvariantCulture),
        ["Redis__Stream__FlushInterval"] = "00:00:01",
        ["Redis__Snapshot__Schedule"] = "0/15 * * * * ?",
        ["Agent__Urls"] = $"http://127.0.0.1:{FreePorts.Take(1)[0]}",
    };

    private async Task RunAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        using var stopping = new CancellationTokenSource();
        StoreContent before;
        agent.Start();
        StartLoad();
        var writing = writer.RunAsync(stopping.Token);
        try
        {
            await UntilConfirmedAsync(writing);
            before = await store.CountAsync();
            for (var kill = 1; kill <= options.Kills && TimeProvider.System.GetElapsedTime(began) < options.Duration; kill++)
            {
                await PauseAsync(200, 2000);
                await KillVerbAsync();
                await KillAndCheckAsync(kill, writing);
                report.Count("rounds");
                gauge.Look(agent.ProcessId);
                await CheckMomentAsync(kill);
            }
        }
        finally
        {
            await stopping.CancelAsync();
        }

        await writing;
        await StopLoadAsync();
        await agent.RunAsync("verify", "redis");
        report.Count("verified clean");
        (await store.CountAsync()).Report(report, before);
        gauge.ReportTheOldest();
    }

    private async Task KillAndCheckAsync(int number, Task writing)
    {
        var (killsAgent, killsServer) = random.Next(4) switch
        {
            0 or 1 => (true, false),
            2 => (false, true),
            _ => (true, true),
        };
        var partialBefore = killsServer ? 0 : await CounterAsync("sync_partial_ok");
        var fullBefore = killsServer ? 0 : await CounterAsync("sync_full");
        var again = random.Next(3) == 0 ? random.Next(3, 10) : 0;
        say($"round {number}: {(killsAgent ? "agent " : "")}{(killsServer ? $"server ({string.Join(' ', persistence)}) " : "")}{(again > 0 ? $"and {again} times more" : "")}");
        if (killsAgent)
        {
            await KillAgentAsync();
            for (var times = killsServer ? 0 : again; times > 0; times--)
            {
                agent.Start();
                await PauseAsync(0, StartTime);
                await KillAgentAsync();
            }
        }

        if (killsServer)
        {
            await PauseAsync(0, killsAgent ? 300 : 0);
            await KillServerAsync();
        }
        if (killsServer && !killsAgent)
        {
            // What the server had sent is on its way; WAIT confirmed nothing of it.
            await PauseAsync(0, 500);
        }

        await check.LatestAsync(history, random.Next(2) == 0);
        await PauseAsync(0, 1000);
        if (killsServer)
        {
            await StartServerAgainAsync();
            for (var times = again; times > 0; times--)
            {
                await KillBothInTheirStartAsync(killsAgent);
            }
        }

        if (killsAgent)
        {
            agent.Start();
        }

        await UntilConfirmedAsync(writing);
        if (!killsServer)
        {
            // A restarted agent goes on where it was; only its scheduled bases are whole copies.
            if (await CounterAsync("sync_partial_ok") <= partialBefore)
            {
                throw new TortureException($"The agent was killed and did not go on with a partial resynchronisation (sync_full {fullBefore} before, {await CounterAsync("sync_full")} now).");
            }

            report.Count("partial resynchronisations");
        }
    }

    private async Task KillAgentAsync()
    {
        report.Count("kills: agent", agent.IsRunning ? 1 : 0);
        await agent.KillAsync();
    }

    private async Task KillServerAsync()
    {
        report.Count("kills: server", server.HasExited ? 0 : 1);
        await server.KillAsync();
        await StopLoadAsync();
    }

    /// <summary>The server comes back in another way each time, and the agent has hardly begun to follow it.</summary>
    private async Task KillBothInTheirStartAsync(bool killsAgent)
    {
        if (killsAgent)
        {
            agent.Start();
        }

        await PauseAsync(0, StartTime);
        if (killsAgent && random.Next(2) == 0)
        {
            await KillAgentAsync();
        }

        await KillServerAsync();
        if (killsAgent)
        {
            await KillAgentAsync();
        }

        await StartServerAgainAsync();
    }

    /// <summary>A verb beside the agent is killed anywhere: nothing may be held up by what that leaves behind.</summary>
    private async Task KillVerbAsync()
    {
        var verb = Verbs[random.Next(Verbs.Length)];
        report.Count("kills: a verb", await agent.KillAsync(TimeSpan.FromMilliseconds(random.Next(2 * StartTime)), verb) ? 1 : 0);
    }

    /// <summary>With what it had, with an older file, or on an empty disk.</summary>
    private async Task StartServerAgainAsync()
    {
        var before = persistence;
        persistence = Persistence[random.Next(Persistence.Length)];

        // Neither kind of file would be looked for by a server that keeps its data in the other.
        var isEmpty = before != persistence || (persistence == OldFile && !File.Exists(Path.Combine(server.Directory, "dump.rdb"))) || persistence == Nothing;
        writer.Life = new Writer.ServerLife(writer.Life.Number + 1, KeepsAll: !isEmpty && persistence == AppendOnly);
        report.Count($"server came back {(isEmpty ? "empty" : writer.Life.KeepsAll ? "with everything" : "older")}");
        if (isEmpty)
        {
            Directory.Delete(server.Directory, recursive: true);
            Directory.CreateDirectory(server.Directory);
        }

        await server.StartAgainAsync([.. ServerSettings, .. persistence]);
        StartLoad();
    }

    private async Task CheckMomentAsync(int kill)
    {
        if (history.Moments is { Count: > 0 } moments && kill % 2 == 0)
        {
            // The last one often, because it has the least behind it; any other otherwise.
            var moment = random.Next(2) == 0 ? moments[^1] : moments[random.Next(moments.Count)];
            await check.MomentAsync(moment, random.Next(2) == 0);
        }
    }

    private async Task UntilConfirmedAsync(Task writing)
    {
        var before = history.Confirmations;
        await Eventually.TrueAsync(
            async () =>
            {
                if (writing.IsCompleted)
                {
                    await writing;
                }

                return history.Confirmations > before + 1;
            },
            "WAIT confirms writes again",
            TimeSpan.FromMinutes(2),
            agent.LastWords);
    }

    private async Task<long> CounterAsync(string name)
    {
        var redis = new RedisOptions { Host = "127.0.0.1", Port = server.Port };
        await using var connection = await RedisConnection.OpenAsync(redis, redis.Address, TimeProvider.System, CancellationToken.None);
        return (await ServerInfo.ReadAsync(connection, CancellationToken.None)).Number(name) ?? 0;
    }

    /// <summary>In a database of its own, of which nothing is compared: it makes the stream long and the server busy, and leaves the machine to who is tortured.</summary>
    private void StartLoad() =>
        load = ServerProcess.Start("/bin/sh", ["-c", $"exec nice -n 19 redis-benchmark -p {server.Port} -c 4 -r 5000 -n 20000 -d 50 -l -q --dbnum 9 -t set,incr,lpush,rpop,sadd,hset,zadd > /dev/null 2>&1"]);

    private async Task StopLoadAsync()
    {
        if (load is { } running)
        {
            load = null;
            await running.DisposeAsync();
        }
    }

    private Task PauseAsync(int least, int most) =>
        Task.Delay(TimeSpan.FromMilliseconds(random.Next(least, Math.Max(least + 1, most))), TimeProvider.System, CancellationToken.None);
}
