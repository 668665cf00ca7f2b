using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>Where a restore stops, and what it refuses.</summary>
public sealed class TargetTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task A_moment_has_what_was_written_before_it_and_nothing_of_what_came_later()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        var moments = new List<(DateTimeOffset At, string Content)>();
        for (var step = 0; step < 3; step++)
        {
            await client.DoAsync("SET", $"step {step}", "written");
            await client.DoAsync("INCR", "counter");
            await client.WaitAsync();
            var at = await NextQuietMomentAsync();
            moments.Add((at, await client.ContentAsync()));
        }

        await client.DoAsync("FLUSHALL");
        await client.WaitAsync();
        await agent.StopAsync();

        foreach (var (at, content) in moments)
        {
            (await RestoredAsync(agent, at.ToString("O"))).ShouldBe(content);
        }

        (await RestoredAsync(agent, "before-flush")).ShouldBe(moments[^1].Content);
    }

    [Fact]
    public async Task A_transaction_is_restored_whole_or_not_at_all()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "before", "1");
        await client.WaitAsync();
        var content = await client.ContentAsync();
        var end = agent.Status.DurablePosition!.Value;
        await client.DoAsync("MULTI");
        await client.DoAsync("SET", "one", "1");
        await client.DoAsync("SET", "two", "2");
        await client.DoAsync("EXEC");
        await client.WaitAsync();
        await agent.StopAsync();
        var plan = (Redis.Restore.RedisRestorePlan)await agent.Source.PlanRestoreAsync(
            new RestoreRequest { TargetDirectory = targets["restored"] }, CancellationToken.None);

        // Behind MULTI and the first SET, somewhere in the second.
        await agent.Source.RestoreAsync(plan with { Cut = plan.Cut - 40 }, new Progress<TransferProgress>(), CancellationToken.None);

        (plan.Cut - 40).ShouldBeGreaterThan(end);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(content);
    }

    [Fact]
    public async Task A_key_that_has_expired_meanwhile_but_was_kept_by_a_later_write_is_there()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await client.DoAsync("SET", "kept", "1", "PX", "1500");
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("PERSIST", "kept");
        await client.WaitAsync();
        await agent.StopAsync();
        await Eventually.TrueAsync(async () => (await client.DoAsync("OBJECT", "IDLETIME", "kept")).Integer >= 2, "the expiry of the base has passed");

        (await RestoredAsync(agent, "latest", "no")).ShouldBe(await client.ContentAsync());
        (await RestoredAsync(agent, "latest", "yes")).ShouldBe(await client.ContentAsync());
    }

    [Fact]
    public async Task What_cannot_be_given_is_refused_in_words_before_anything_is_written()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        await client.WaitAsync();
        await agent.StopAsync();
        Directory.CreateDirectory(targets["full"]);
        await File.WriteAllTextAsync(targets["full/dump.rdb"], "somebody's");

        (await PlanRefusedAsync<UsageException>(agent, targets["full"], null)).ShouldContain("is not empty");
        (await PlanRefusedAsync<UsageException>(agent, null, null)).ShouldContain("--target-directory");
        (await PlanRefusedAsync<UsageException>(agent, targets["new"], "yesterday")).ShouldContain("is not a target");
        (await PlanRefusedAsync<UsageException>(agent, targets["new"], "2026-11-23T02:41:00")).ShouldContain("has no offset");
        (await PlanRefusedAsync<NotRestorableException>(agent, targets["new"], "2001-01-01T00:00:00Z")).ShouldContain("lies before");
        (await PlanRefusedAsync<NotRestorableException>(agent, targets["new"], "2101-01-01T00:00:00Z")).ShouldContain("lies behind the last moment");
        (await PlanRefusedAsync<NotRestorableException>(agent, targets["new"], "before-flush")).ShouldContain("no FLUSHALL or FLUSHDB");
        (await PlanRefusedAsync<NotRestorableException>(agent, targets["new"], "offset:999999")).ShouldContain("lies behind the end");
        Directory.Exists(targets["new"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_missing_piece_of_the_stream_is_named_and_nothing_is_written()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        for (var i = 0; i < 3; i++)
        {
            await client.DoAsync("SET", $"key {i}", "1");
            await client.WaitAsync();
        }

        await agent.StopAsync();
        var inventory = await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None);
        var middle = inventory.Pieces.OrderBy(p => p.Range.Start).ElementAt(1);
        await store.DeleteAsync([middle.Key], CancellationToken.None);

        (await agent.VerifyAsync()).Damage.ShouldHaveSingleItem().What.ShouldContain("missing");
        (await PlanRefusedAsync<NotRestorableException>(agent, targets["new"], null)).ShouldContain($"is missing from offset {middle.Range.Start} on");
        Directory.Exists(targets["new"]).ShouldBeFalse();

        // What lies before the hole can still be had.
        var content = await RestoredAsync(agent, $"offset:{middle.Range.Start}");
        content.ShouldContain("key 0");
        content.ShouldNotContain("key 1");
    }

    /// <summary>A moment behind everything so far, in a second in which nothing else will be written.</summary>
    private static async Task<DateTimeOffset> NextQuietMomentAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        await Eventually.TrueAsync(() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() > now.ToUnixTimeSeconds(), "the next second begins");
        return DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds() + 1);
    }

    private async Task<string> RestoredAsync(TestAgent agent, string to, string appendOnly = "yes")
    {
        var directory = targets[Guid.NewGuid().ToString("N")];
        await agent.RestoreAsync(directory, to);
        await using var restored = await RedisServer.StartInAsync(directory, "--appendonly", appendOnly);
        await using var look = await RedisClient.ConnectAsync(restored);
        return await look.ContentAsync();
    }

    private static async Task<string> PlanRefusedAsync<T>(TestAgent agent, string? directory, string? to)
        where T : Exception
    {
        var refusal = await Should.ThrowAsync<T>(() => agent.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = directory, To = to }, CancellationToken.None));
        return refusal.Message;
    }
}
