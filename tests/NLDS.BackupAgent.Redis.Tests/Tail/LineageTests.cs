using System.Globalization;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Tail;

/// <summary>When the history of the server goes on as another, or ends.</summary>
public sealed class LineageTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task A_promoted_replica_is_followed_without_a_new_copy()
    {
        await using var first = await RedisServer.StartAsync("--save", "");
        await using var second = await RedisServer.StartAsync("--save", "", "--replicaof", $"127.0.0.1 {first.Port}");
        await using var writer = await RedisClient.ConnectAsync(first);
        await using var replica = await RedisClient.ConnectAsync(second);
        await Eventually.TrueAsync(async () => (await replica.InfoAsync())["master_link_status"] == "up", "the replica is in step");
        await using (var agent = TestAgent.Start(first.Port, store))
        {
            await agent.UntilStreamingAsync();
            await writer.DoAsync("SET", "before", "1");
            (await writer.DoAsync("WAIT", "2", "20000")).Integer.ShouldBe(2);
            await agent.StopAsync();
        }

        await first.KillAsync();
        await replica.DoAsync("REPLICAOF", "NO", "ONE");
        await using var next = TestAgent.Start(second.Port, store);
        await next.UntilStreamingAsync();
        await replica.DoAsync("SET", "behind", "2");
        await replica.WaitAsync();
        await next.StopAsync();

        var info = await replica.InfoAsync();
        (info["sync_full"], info["sync_partial_ok"]).ShouldBe(("0", "1"));
        next.Status.Gaps.ShouldBe(0);
        next.Status.Lineage.ShouldBe(info["master_replid"]);
        (await next.VerifyAsync()).Damage.ShouldBeEmpty();
        await next.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await replica.ContentAsync());
    }

    [Fact]
    public async Task A_server_that_comes_back_empty_is_a_new_history_and_the_old_data_stays_restorable()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        string content;
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await using (var client = await RedisClient.ConnectAsync(server))
        {
            await TestData.WriteEverythingAsync(client, "old");
            await client.WaitAsync();
            content = await client.ContentAsync();
        }

        var before = TimeProvider.System.GetUtcNow();
        var old = agent.Status.Lineage;
        await server.KillAsync();
        await agent.UntilAsync(s => !s.IsStreaming, "the loss is noticed");
        await server.StartAgainAsync("--save", "");
        await agent.UntilAsync(s => s.IsStreaming && s.Lineage != old, "the new history is followed");
        agent.Status.Gaps.ShouldBe(1);
        await agent.StopAsync();

        var listing = await agent.Source.ListAsync(CancellationToken.None);
        listing.Log!.Gaps.ShouldHaveSingleItem().Reason.ShouldContain("could not go on with this history");
        listing.Log.Spans.Count.ShouldBe(2);
        listing.Log.Spans[0].From.ShouldBeLessThan(listing.Log.Spans[0].To);
        listing.Log.Spans[0].To.ShouldBeLessThan(listing.Log.Spans[1].From);
        await agent.RestoreAsync(targets["old"], backup: listing.Backups[0].Id.ToString());
        await using var restored = await RedisServer.StartInAsync(targets["old"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(content);
        before.ShouldBeLessThan(listing.Backups[1].Manifest.Ended);
    }

    /// <summary>What was confirmed behind the gap says nothing of the moments before it.</summary>
    [Fact]
    public async Task Every_moment_that_is_listed_before_a_gap_can_be_restored_and_none_lies_within_it()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "16384");
        await using var client = await RedisClient.ConnectAsync(server);
        await using (var first = TestAgent.Start(server.Port, store))
        {
            await first.UntilStreamingAsync();
            await client.DoAsync("SET", "a", "1");
            await client.WaitAsync();
            await first.StopAsync();
        }

        var missed = TimeProvider.System.GetUtcNow();
        await using var second = await FollowBehindGapAsync(server, client);

        var spans = (await second.Source.ListAsync(CancellationToken.None)).Log!.Spans;
        spans.Count.ShouldBe(2);
        spans[0].To.ShouldBeLessThan(missed);
        foreach (var moment in spans.SelectMany(span => new[] { span.From, span.To }))
        {
            var plan = await second.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = targets["new"], To = moment.ToString("O", CultureInfo.InvariantCulture) }, CancellationToken.None);
            plan.RecoversTo.ShouldBe(moment);
            plan.Warnings.ShouldBeEmpty();
        }

        await Should.ThrowAsync<NotRestorableException>(
            () => second.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = targets["new"], To = missed.ToString("O", CultureInfo.InvariantCulture) }, CancellationToken.None));
    }

    [Fact]
    public async Task A_backlog_that_was_too_small_is_a_recorded_gap_and_a_new_base()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "16384");
        await using var client = await RedisClient.ConnectAsync(server);
        await using (var first = TestAgent.Start(server.Port, store))
        {
            await first.UntilStreamingAsync();
            await client.DoAsync("SET", "a", "1");
            await client.WaitAsync();
        }

        await using var second = await FollowBehindGapAsync(server, client);

        second.Status.Gaps.ShouldBe(1);
        (await second.Source.ListAsync(CancellationToken.None)).Log!.Gaps.ShouldHaveSingleItem().Reason.ShouldContain("repl-backlog-size");
        (await second.VerifyAsync()).Damage.ShouldBeEmpty();
        await second.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "no");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    [Fact]
    public async Task A_replica_leads_to_its_primary()
    {
        await using var primary = await RedisServer.StartAsync("--save", "");
        await using var replica = await RedisServer.StartAsync("--save", "", "--replicaof", $"127.0.0.1 {primary.Port}");
        await using var look = await RedisClient.ConnectAsync(replica);
        await Eventually.TrueAsync(async () => (await look.InfoAsync())["master_link_status"] == "up", "the replica is in step");
        await using var agent = TestAgent.Start(replica.Port, store);
        await agent.UntilStreamingAsync();

        await using var client = await RedisClient.ConnectAsync(primary);
        (await client.InfoAsync())["connected_slaves"].ShouldBe("2");
    }

    [Fact]
    public async Task A_replica_that_is_asked_to_gives_copy_and_stream_itself()
    {
        await using var primary = await RedisServer.StartAsync("--save", "");
        await using var replica = await RedisServer.StartAsync("--save", "", "--replicaof", $"127.0.0.1 {primary.Port}");
        await using var look = await RedisClient.ConnectAsync(replica);
        await Eventually.TrueAsync(async () => (await look.InfoAsync())["master_link_status"] == "up", "the replica is in step");
        await using var client = await RedisClient.ConnectAsync(primary);
        await client.DoAsync("SELECT", "4");
        await client.DoAsync("SET", "before", "1");
        await using var agent = TestAgent.Start(replica.Port, store, options => options.FollowPrimary = false);
        await agent.UntilStreamingAsync();

        // No SELECT comes again: the copy says which database the stream goes on in.
        await client.DoAsync("SET", "behind", "2");
        var end = (await client.InfoAsync()).Number("master_repl_offset");
        await agent.UntilAsync(s => s.DurablePosition >= (ulong)end!, "the write is durable");
        await agent.StopAsync();

        (await client.InfoAsync())["connected_slaves"].ShouldBe("1");
        await agent.RestoreAsync(targets["restored"]);
        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var there = await RedisClient.ConnectAsync(restored);
        (await there.ContentAsync()).ShouldBe(await client.ContentAsync());
    }

    /// <summary>Writes more than the backlog holds while no agent is there; then one follows, and is stopped.</summary>
    private async Task<TestAgent> FollowBehindGapAsync(RedisServer server, RedisClient client)
    {
        for (var i = 0; i < 100; i++)
        {
            await client.DoAsync("SET", $"missed {i}", new string('x', 1000));
        }

        var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "b", "2");
        await client.WaitAsync();
        await agent.StopAsync();
        return agent;
    }
}
