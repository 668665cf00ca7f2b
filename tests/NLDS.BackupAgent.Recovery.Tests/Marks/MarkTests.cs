using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Postgres;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Redis;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Marks;

/// <summary>One recovery point over a PostgreSQL and a Redis that are both written to.</summary>
public sealed class MarkTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_mark_brings_both_databases_back_to_one_moment()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var postgres = await PostgresServer.StartAsync();
        await using var redis = await RedisServer.StartAsync();
        await using var services = Services(store, postgres.Port, redis.Port);
        var marks = services.GetRequiredService<RecoveryMarks>();
        using var stop = new CancellationTokenSource();
        var tails = services.GetServices<IContinuousSource>().ToList();
        var tailing = tails.Select(tail => tail.TailAsync(stop.Token)).ToList();
        await Eventually.TrueAsync(() => tails.TrueForAll(tail => tail.Status.IsStreaming), "both tails stream");
        foreach (var source in services.GetServices<ISnapshotSource>())
        {
            await source.TakeAsync(new Progress<TransferProgress>(), Token);
        }

        await postgres.ExecuteAsync("CREATE TABLE t AS SELECT 1 AS n");
        await AskAsync(redis.Port, "SET before 1");

        var mark = await marks.MarkAsync("before_release", [.. services.GetServices<ISnapshotSource>()], "test", isScheduled: false, Token);

        await postgres.ExecuteAsync("DROP TABLE t");
        await AskAsync(redis.Port, "DEL before");
        await AskAsync(redis.Port, "SET after 1");
        await marks.MarkAsync("after", [.. services.GetServices<ISnapshotSource>()], "test", isScheduled: true, Token);
        await stop.CancelAsync();
        await Task.WhenAll(tailing);

        mark.Places.Keys.Order().ShouldBe(["postgres", "redis"]);
        mark.SkewSeconds.ShouldBeGreaterThan(0);
        foreach (var source in services.GetServices<ISnapshotSource>())
        {
            var request = await marks.ResolveAsync(new RestoreRequest { TargetDirectory = directory[source.Name], To = "mark:before_release" }, source.Name, Token);
            await source.RestoreAsync(await source.PlanRestoreAsync(request, Token), new Progress<TransferProgress>(), Token);
        }

        await using var restored = await PostgresServer.StartOnDirectoryAsync(directory["postgres"], 15);
        (await restored.ScalarAsync<int>("SELECT n FROM t")).ShouldBe(1);
        await using var copy = await RedisServer.StartInAsync(directory["redis"], "--appendonly", "yes");
        (await AskAsync(copy.Port, "EXISTS before")).ShouldBe(":1");
        (await AskAsync(copy.Port, "EXISTS after")).ShouldBe(":0");

        // A name is given once; the schedule's own marks go with time, others do not.
        (await Should.ThrowAsync<UsageException>(() => marks.MarkAsync("after", [.. services.GetServices<ISnapshotSource>()], "test", false, Token))).Message.ShouldContain("already");
        (await marks.ListAsync(Token)).Select(known => known.Name).ShouldBe(["before_release", "after"]);
        await marks.ForgetAsync(TimeSpan.Zero, Token);
        (await marks.ListAsync(Token)).Select(known => known.Name).ShouldBe(["before_release"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("../repository")]
    [InlineData("-x")]
    [InlineData("a b")]
    [InlineData("a'; DROP TABLE t")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    public async Task What_could_not_be_a_key_is_no_name(string name)
    {
        await using var services = Services(new MemoryObjectStore(), 1, 1);

        await Should.ThrowAsync<UsageException>(() => services.GetRequiredService<RecoveryMarks>().MarkAsync(name, [.. services.GetServices<ISnapshotSource>()], "test", false, Token));
    }

    [Fact]
    public async Task A_source_that_cannot_be_asked_means_no_mark()
    {
        var store = new MemoryObjectStore();
        await using var services = Services(store, 1, 1);
        var marks = services.GetRequiredService<RecoveryMarks>();

        await Should.ThrowAsync<SourceException>(() => marks.MarkAsync("one", [.. services.GetServices<ISnapshotSource>()], "test", false, Token));

        (await marks.ListAsync(Token)).ShouldBeEmpty();
    }

    private static ServiceProvider Services(IObjectStore store, int postgresPort, int redisPort)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Postgres:Host"] = "127.0.0.1",
            ["Postgres:Port"] = $"{postgresPort}",
            ["Postgres:Username"] = PostgresServer.BackupRole,
            ["Postgres:Password"] = PostgresServer.BackupPassword,
            ["Postgres:SslMode"] = "disable",
            ["Postgres:Wal:FlushInterval"] = "00:00:00.1",
            ["Redis:Host"] = "127.0.0.1",
            ["Redis:Port"] = $"{redisPort}",
            ["Redis:Stream:FlushInterval"] = "00:00:00.1",
        }).Build();
        var services = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddSingleton(store).AddSingleton(AgentIdentity.OfThisProcess("marks"));
        services.AddRepository(configuration).AddRetention(configuration).AddPostgres(configuration).AddRedis(configuration).AddRecovery(configuration);
        return services.BuildServiceProvider();
    }

    private static async Task<string> AskAsync(int port, string command)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{command}\r\nQUIT\r\n"), Token);
        using var reader = new StreamReader(client.GetStream());
        return (await reader.ReadToEndAsync(Token)).Split("\r\n")[0];
    }
}
