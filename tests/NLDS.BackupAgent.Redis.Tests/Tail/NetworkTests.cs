using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Tail;

/// <summary>The connection and the agent fail in the middle of things; nothing that WAIT confirmed is lost.</summary>
public sealed class NetworkTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task Cut_off_again_and_again_the_tail_goes_on_without_another_copy()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var proxy = TcpProxy.Start("127.0.0.1", server.Port);
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(proxy.Port, store);
        await agent.UntilStreamingAsync();
        for (var round = 0; round < 8; round++)
        {
            for (var i = 0; i < 200; i++)
            {
                await client.DoAsync("SET", $"round {round} key {i}", new string('x', 500));
            }

            proxy.Cut();
            (await client.WaitAsync()).ShouldBe(1, agent.Status.ToString());
        }

        await agent.StopAsync();
        (await client.InfoAsync())["sync_full"].ShouldBe("1");
        agent.Status.Gaps.ShouldBe(0);
        await RequireSameAsync(agent, client);
    }

    /// <summary>Wherever in the protocol the connection breaks, the next attempt succeeds.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(120)]
    [InlineData(200)]
    [InlineData(5000)]
    [InlineData(200000)]
    public async Task A_connection_that_breaks_after_so_many_bytes_is_made_anew(int bytes)
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await TestData.WriteEverythingAsync(client, "before");
        await client.DoAsync("SET", "large", Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(300_000)));
        await using var proxy = TcpProxy.Start("127.0.0.1", server.Port);
        proxy.ToClient.CutAfter(bytes);
        await using var agent = TestAgent.Start(proxy.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "behind", "1");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();

        // An attempt that did not come to its end left no backup.
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.Count.ShouldBe(1);
        await RequireSameAsync(agent, client);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_that_breaks_inside_a_command_is_gone_on_with(bool inTransaction)
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var proxy = TcpProxy.Start("127.0.0.1", server.Port);
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(proxy.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "before", "1");
        (await client.WaitAsync()).ShouldBe(1);
        var end = agent.Status.DurablePosition;

        // No byte of the value looks like the beginning of a command.
        proxy.ToClient.CutAfter(150_000);
        string[][] commands = [["SET", "first", new string('x', 100_000)], ["SET", "second", new string('y', 100_000)], ["SET", "third", "z"]];
        if (inTransaction)
        {
            commands = [["MULTI"], .. commands, ["EXEC"]];
        }

        foreach (var command in commands)
        {
            await client.DoAsync(command);
        }

        (await client.WaitAsync()).ShouldBe(1, agent.Status.ToString());
        await agent.StopAsync();

        (await client.InfoAsync())["sync_full"].ShouldBe("1");
        (await client.InfoAsync())["sync_partial_ok"].ShouldNotBe("0");
        agent.Status.DurablePosition!.Value.ShouldBeGreaterThan(end!.Value + 200_000);
        agent.Status.Gaps.ShouldBe(0);
        await RequireSameAsync(agent, client);
    }

    [Fact]
    public async Task What_WAIT_confirmed_survives_the_deaths_of_agent_and_server()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        var confirmed = new HashSet<string>();
        for (var life = 0; life < 20; life++)
        {
            await using var client = await RedisClient.ConnectAsync(server);
            await using var agent = TestAgent.Start(server.Port, store, consent: new AdoptionConsent(toAny: true));
            await agent.UntilStreamingAsync();
            var kill = random.Next(5, 60);
            for (var i = 0; i < kill; i++)
            {
                var key = $"life {life} key {i}";
                await client.DoAsync("SET", key, "x");
                if (i % 5 == 0)
                {
                    (await client.WaitAsync()).ShouldBe(1, $"seed {seed}");
                    confirmed.UnionWith(Enumerable.Range(0, i + 1).Select(n => $"life {life} key {n}"));
                }
            }

            await agent.AbandonAsync();
            if (random.Next(3) == 0)
            {
                // The next server begins with what a restore gives, as on the worst night.
                await server.KillAsync();
                await using var restorer = TestAgent.For(server.Port, store);
                var directory = targets[$"life {life}"];
                await restorer.RestoreAsync(directory);
                Directory.Delete(server.Directory, recursive: true);
                Directory.Move(directory, server.Directory);
                await server.StartAgainAsync("--save", "", "--appendonly", "yes", "--repl-backlog-size", "64mb");
            }
        }

        await server.KillAsync();
        await using var last = TestAgent.For(server.Port, store);
        await last.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        var there = (await look.DoAsync("KEYS", "*")).Items!.Select(item => item.Text).ToHashSet();
        confirmed.Except(there).ShouldBeEmpty($"seed {seed}");
        (await last.VerifyAsync()).Damage.ShouldBeEmpty($"seed {seed}");
    }

    private async Task RequireSameAsync(TestAgent agent, RedisClient client)
    {
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await agent.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }
}
