using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>From a real server through the repository to another real server.</summary>
public sealed class RoundTripTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Theory]
    [InlineData("yes")]
    [InlineData("no")]
    public async Task Everything_before_and_behind_the_base_is_there_whichever_way_the_server_keeps_its_data(string appendOnly)
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "before");
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await TestData.WriteEverythingAsync(client, "behind");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();

        await agent.RestoreAsync(targets["restored"]);

        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", appendOnly);
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("no")]
    public async Task A_base_with_nothing_behind_it_is_restored_too(string appendOnly)
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "before");
        await using var agent = TestAgent.For(server.Port, store);
        await agent.TakeAsync();

        await agent.RestoreAsync(targets["restored"]);

        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", appendOnly);
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [Fact]
    public async Task The_servers_own_tools_find_nothing_wrong_with_restored_files()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await TestData.WriteEverythingAsync(client, "behind");
        await client.WaitAsync();
        await agent.StopAsync();
        await agent.RestoreAsync(targets["restored"]);

        (await ServerProcess.RunAsync("redis-check-rdb", [targets["restored/dump.rdb"]], CancellationToken.None)).ShouldContain("RDB looks OK");
        (await ServerProcess.RunAsync("redis-check-aof", [targets["restored/appendonlydir/appendonly.aof.manifest"]], CancellationToken.None))
            .ShouldContain("All AOF files and manifest are valid");
        Directory.GetFileSystemEntries(targets["restored"]).Select(Path.GetFileName).Order().ShouldBe(["appendonlydir", "dump.rdb"]);
    }

    [Fact]
    public async Task What_was_written_while_the_agent_was_away_is_there()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using (var first = TestAgent.Start(server.Port, store))
        {
            await first.UntilStreamingAsync();
            await client.DoAsync("SET", "a", "1");
            await client.WaitAsync();
        }

        await client.DoAsync("SET", "b", "2");
        await using var second = TestAgent.Start(server.Port, store);
        await second.UntilStreamingAsync();
        await client.DoAsync("SET", "c", "3");
        await client.WaitAsync();
        await second.StopAsync();

        // The server itself says that one whole copy and one continuation were all that it was asked for.
        var info = await client.InfoAsync();
        (info["sync_full"], info["sync_partial_ok"], info["sync_partial_err"]).ShouldBe(("1", "1", "0"));
        await second.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [Fact]
    public async Task A_second_base_leads_on_in_the_same_stream()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SELECT", "3");
        await client.DoAsync("SET", "before", "1");
        var first = await agent.TakeAsync();
        var second = await agent.TakeAsync();
        await client.DoAsync("SET", "behind", "2");
        await client.WaitAsync();
        await agent.StopAsync();

        second.Id.ShouldNotBe(first.Id);
        (await agent.RestoreAsync(targets["restored"])).BackupId.ShouldBe(second.Id.ToString());
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_base_that_came_with_the_stream_is_taken_for_the_first_backup_so_that_the_server_forks_once()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();

        await agent.TakeAsync();

        (await client.InfoAsync())["sync_full"].ShouldBe("1");
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.Count.ShouldBe(1);
    }

    [Fact]
    public async Task An_unfinished_restore_does_not_start_whichever_way_the_server_keeps_its_data()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.For(server.Port, store);
        await client.DoAsync("SET", "a", "1");
        await agent.TakeAsync();
        new Redis.Restore.TargetDirectory(targets["unfinished"]).Begin("20260101_000000");

        (await RedisServer.RefusalAsync(targets["unfinished"], "--appendonly", "no")).ShouldContain("Invalid AOF manifest file format");
        (await RedisServer.RefusalAsync(targets["unfinished"], "--appendonly", "yes")).ShouldContain("Invalid AOF manifest file format");

        // And it is no obstacle to the next attempt.
        await agent.RestoreAsync(targets["unfinished"]);
        await using var restored = await RedisServer.StartInAsync(targets["unfinished"], "--appendonly", "no");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [Fact]
    public async Task Where_copy_and_commands_stay_apart_a_server_without_AOF_refuses_to_start_rather_than_start_empty()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "behind", "1");
        await client.WaitAsync();
        await agent.StopAsync();
        var request = new RestoreRequest
        {
            TargetDirectory = targets["restored"],
            Options = new Dictionary<string, IReadOnlyList<string>> { ["appendonly"] = ["yes"] },
        };
        var plan = await agent.Source.PlanRestoreAsync(request, CancellationToken.None);

        await agent.Source.RestoreAsync(plan, new Progress<TransferProgress>(), CancellationToken.None);

        (await RedisServer.RefusalAsync(targets["restored"], "--appendonly", "no")).ShouldContain("Can't handle RDB format version 9999");
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    /// <summary>As Redis 4 to 6 keep it; 7.0 takes such a file over, which shows that it is one.</summary>
    [Theory]
    [InlineData("yes", true)]
    [InlineData("yes", false)]
    [InlineData("no", true)]
    public async Task A_server_before_7_gets_one_file_of_both(string appendOnly, bool hasServer)
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "before");
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await TestData.WriteEverythingAsync(client, "behind");
        await client.WaitAsync();
        await agent.StopAsync();
        var plan = (Redis.Restore.RedisRestorePlan)await agent.Source.PlanRestoreAsync(
            new RestoreRequest { TargetDirectory = targets["restored"] }, CancellationToken.None);

        await agent.Source.RestoreAsync(
            plan with { Layout = Redis.Restore.AofLayout.SingleFile, Server = hasServer ? plan.Server : null }, new Progress<TransferProgress>(), CancellationToken.None);

        Directory.GetFileSystemEntries(targets["restored"]).Select(Path.GetFileName).Order().ShouldBe(["appendonly.aof", "dump.rdb"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", appendOnly);
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [Fact]
    public async Task A_key_that_comes_later_and_one_that_replaces_it_read_everything_and_nobody_without_them_anything()
    {
        const string key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", newKey = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=";
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "before");
        foreach (var keys in new[] { null, key, $"{newKey}\n{key}" })
        {
            await using var agent = TestAgent.Start(server.Port, store, keys: keys);
            await agent.UntilStreamingAsync();
            await TestData.WriteEverythingAsync(client, $"with {keys?.Length}");
            (await client.WaitAsync()).ShouldBe(1);
            await agent.StopAsync();
        }

        (await client.InfoAsync())["sync_full"].ShouldBe("1");
        await using (var stranger = TestAgent.For(server.Port, store))
        {
            (await Should.ThrowAsync<NotRestorableException>(() => stranger.RestoreAsync(targets["stranger"]))).Message.ShouldContain("Encryption:Key");
        }

        await using var holder = TestAgent.For(server.Port, store, keys: $"{newKey}\n{key}");
        (await holder.VerifyAsync()).Damage.ShouldBeEmpty();
        await holder.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }
}
