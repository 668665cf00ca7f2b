using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Verification;

/// <summary>What was read back once is believed for a while, and still looked for.</summary>
public sealed class ProofTests
{
    private readonly MemoryObjectStore store = new();

    [Fact]
    public async Task The_next_verification_reads_what_is_new()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        for (var i = 0; i < 60; i++)
        {
            await client.DoAsync("SET", $"key {i % 4}", new string((char)('a' + (i % 26)), 1 << 20));
        }

        await client.WaitAsync();
        await agent.StopAsync();
        var first = await VerifyAsync(agent, VerifyScope.New);

        var second = await VerifyAsync(agent, VerifyScope.New);

        first.Damage.ShouldBeEmpty();
        second.Damage.ShouldBeEmpty();
        first.ContentBytes.ShouldBeGreaterThan(60 << 20);
        second.ObjectsBelieved.ShouldBeGreaterThanOrEqualTo(3, "the base and all whole segments but the last");
        second.ContentBytes.ShouldBeLessThan(first.ContentBytes / 2);
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.ShouldAllBe(backup => backup.VerifiedAt != null);
        (await VerifyAsync(agent, VerifyScope.All)).ContentBytes.ShouldBe(first.ContentBytes);
    }

    [Fact]
    public async Task A_base_that_was_proven_and_has_vanished_is_named()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await agent.StopAsync();
        (await VerifyAsync(agent, VerifyScope.New)).Damage.ShouldBeEmpty();
        var rdb = RedisCatalog.Read((await agent.Source.ListAsync(CancellationToken.None)).Backups[0]).Rdb;
        await store.DeleteAsync([new ObjectKey(rdb.Key)], CancellationToken.None);

        var damage = (await VerifyAsync(agent, VerifyScope.New)).Damage;

        damage.ShouldHaveSingleItem().Subject.ShouldBe(rdb.Key);
        damage[0].Cost.ShouldContain("cannot be restored");
    }

    private static Task<VerifyReport> VerifyAsync(TestAgent agent, VerifyScope scope) =>
        agent.Source.VerifyAsync(scope, new Progress<TransferProgress>(), CancellationToken.None);
}
