using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

/// <summary>A drill of a Redis, with this machine's own redis-server.</summary>
public sealed class RedisDrillTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_drill_loads_the_copy_counts_its_keys_and_puts_it_under_load()
    {
        using var directory = new TemporaryDirectory();
        var store = new MemoryObjectStore();
        await using (var server = await RedisServer.StartAsync())
        {
            await WriteAsync(server, store);
        }

        await using var bench = new DrillBench(store, directory.Path, 1, ("Drill:Checks:0:Name", "keys"), ("Drill:Checks:0:Source", "redis"), ("Drill:Checks:0:Question", "DBSIZE"), ("Drill:Checks:0:AtLeast", "200"));

        var report = await bench.RunAsync(null, bench.Redis);

        report.Findings.ShouldBeEmpty();
        report.Verdict.ShouldBe(DrillVerdict.Passed);
        report.Sources[0].Proofs.Select(proof => proof.Words).ShouldContain("DBSIZE: 200.");
        report.Sources[0].Load.ShouldNotBeNull().Requests.ShouldBeGreaterThan(10);
        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();
    }

    internal static async Task WriteAsync(RedisServer server, IObjectStore store)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Redis:Host"] = "127.0.0.1",
            ["Redis:Port"] = $"{server.Port}",
            ["Redis:Stream:FlushInterval"] = "00:00:00.1",
        }).Build();
        var collection = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(store).AddSingleton(AgentIdentity.OfThisProcess("redis"));
        collection.AddRepository(configuration).AddRetention(configuration).AddRedis(configuration);
        await using var services = collection.BuildServiceProvider();
        using var stop = new CancellationTokenSource();
        var tail = services.GetRequiredService<IContinuousSource>();
        var tailing = tail.TailAsync(stop.Token);
        await Eventually.TrueAsync(() => tail.Status.IsStreaming, "the tail streams");
        await services.GetRequiredService<ISnapshotSource>().TakeAsync(new Progress<TransferProgress>(), Token);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", server.Port, Token);
        await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 200).Select(i => $"SET key:{i} value\r\n")) + "QUIT\r\n"), Token);
        using var reader = new StreamReader(client.GetStream());
        await reader.ReadToEndAsync(Token);
        var marked = (IMarkedSource)tail;
        var end = await marked.MarkAsync("written", Token);
        while (!await marked.IsDurableAsync(end, Token))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }

        await stop.CancelAsync();
        await tailing;
    }
}
