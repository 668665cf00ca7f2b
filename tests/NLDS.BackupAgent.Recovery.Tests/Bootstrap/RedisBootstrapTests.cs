using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Bootstrap;

/// <summary><c>restore redis --if-empty</c>: the same decisions by the same code; what differs is what a directory looks like.</summary>
public sealed class RedisBootstrapTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_redis_that_lost_its_directory_gets_it_back_and_a_request_sets_it_back()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var services = Services(store, 1);
        (await StartAsync(services, directory["data"])).Action.ShouldBe(BootstrapAction.LetInitialise);
        long atBackup;
        await using (var original = await RedisServer.StartAsync())
        {
            await AskAsync(original.Port, "SET first 1");
            await BackUpAsync(original, store);
            atBackup = await OffsetAsync(original.Port);
            await AskAsync(original.Port, "SET second 2");
            await BackUpAsync(original, store);
        }

        (await StartAsync(services, directory["data"])).Action.ShouldBe(BootstrapAction.Restore);

        await using (var server = await RedisServer.StartInAsync(directory["data"], "--appendonly", "yes"))
        {
            (await AskAsync(server.Port, "DBSIZE")).ShouldBe(":2");
        }

        (await StartAsync(services, directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);
        var source = (IDirectorySource)services.GetRequiredService<ISnapshotSource>();
        var (request, _) = await services.GetRequiredService<StandingRequests>().RequestAsync(source, new RestoreRequest { To = $"offset:{atBackup}" }, "test", Token);
        (await StartAsync(services, directory["data"])).Action.ShouldBe(BootstrapAction.CarryOutRequest);
        await using var back = await RedisServer.StartInAsync(directory["data"], "--appendonly", "yes");
        (await AskAsync(back.Port, "EXISTS first")).ShouldBe(":1");
        (await AskAsync(back.Port, "EXISTS second")).ShouldBe(":0");
        source.Look(directory[$"data.before-{request.Id}"]).Kind.ShouldBe(DirectoryKind.Data);
    }

    [Fact]
    public async Task Files_that_are_no_redis_data_stop_the_start()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["data"]);
        File.WriteAllText(directory["data/notes.txt"], "mine");
        await using var services = Services(new MemoryObjectStore(), 1);

        (await Should.ThrowAsync<SourceException>(() => StartAsync(services, directory["data"]))).Message.ShouldContain("notes.txt");
    }

    private static ServiceProvider Services(IObjectStore store, int port)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Redis:Host"] = "127.0.0.1",
            ["Redis:Port"] = $"{port}",
            ["Redis:Stream:FlushInterval"] = "00:00:00.1",
        }).Build();
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(store).AddSingleton(AgentIdentity.OfThisProcess("redis-0"));
        services.AddRepository(configuration).AddRetention(configuration).AddRedis(configuration).AddRecovery(configuration);
        return services.BuildServiceProvider();
    }

    private static async Task BackUpAsync(RedisServer server, IObjectStore store)
    {
        await using var services = Services(store, server.Port);
        using var stop = new CancellationTokenSource();
        var tail = services.GetRequiredService<IContinuousSource>();
        var tailing = tail.TailAsync(stop.Token);
        await Eventually.TrueAsync(() => tail.Status.IsStreaming, "the tail streams");
        await services.GetRequiredService<ISnapshotSource>().TakeAsync(new Progress<TransferProgress>(), Token);
        await stop.CancelAsync();
        await tailing;
    }

    private static async Task<BootstrapOutcome> StartAsync(ServiceProvider services, string directory)
    {
        var source = (IDirectorySource)services.GetRequiredService<ISnapshotSource>();
        var bootstrap = services.GetRequiredService<ServerBootstrap>();
        var wanted = new RestoreRequest { TargetDirectory = directory, TakesPlace = true };
        return await bootstrap.RunAsync(source, wanted, await bootstrap.PlanAsync(source, wanted, Token), new Progress<TransferProgress>(), Token);
    }

    private static async Task<long> OffsetAsync(int port)
    {
        var info = await AskAsync(port, "INFO replication", wholly: true);
        return long.Parse(info.Split("master_repl_offset:")[1].Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task<string> AskAsync(int port, string command, bool wholly = false)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{command}\r\nQUIT\r\n"), Token);
        using var reader = new StreamReader(client.GetStream());
        var all = await reader.ReadToEndAsync(Token);
        return wholly ? all : all.Split("\r\n")[0];
    }
}
