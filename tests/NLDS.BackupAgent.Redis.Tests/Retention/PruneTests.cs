using NLDS.BackupAgent.Redis.Retention;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Retention;

/// <summary>What retention removes of a stream, and that nobody takes it for damage.</summary>
public sealed class PruneTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task The_stream_behind_the_first_base_of_the_window_stays_and_what_lies_before_it_goes()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        var bases = new List<RedisBase> { RedisCatalog.Read(await agent.TakeAsync()) };
        for (var i = 0; i < 2; i++)
        {
            await client.DoAsync("SET", $"key {i}", "1");
            (await client.WaitAsync()).ShouldBe(1);
            bases.Add(RedisCatalog.Read(await agent.TakeAsync()));
        }

        await client.DoAsync("SET", "last", "1");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();
        var inventory = await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None);

        var everything = StreamNeeds.Find(agent.Catalog.OpenLog(), inventory, bases, bases[0].Sealed.Manifest.Ended.AddSeconds(-1));
        everything.Superfluous().ShouldBeEmpty();

        var needs = (await agent.Source.FindLogNeedsAsync([.. bases.Select(b => b.Sealed)], bases[1].Sealed.Manifest.Ended, CancellationToken.None))!;
        needs.RestorableFrom.ShouldBe(bases[1].Details.At);
        var section = needs.Superfluous().ShouldHaveSingleItem();
        (section.Lineage, section.Start, section.End).ShouldBe((bases[1].Details.ReplicationId!, 0u, bases[1].Details.Offset!.Value));
        inventory.Pieces.ShouldContain(p => section.Contains(p.Lineage, p.Range.Start, p.Range.End));
    }

    [Fact]
    public async Task A_history_that_no_kept_base_leads_into_goes_as_a_whole()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await using (var client = await RedisClient.ConnectAsync(server))
        {
            await client.DoAsync("SET", "old", "1");
            (await client.WaitAsync()).ShouldBe(1);
        }

        var old = agent.Status.Lineage;
        await server.KillAsync();
        await agent.UntilAsync(s => !s.IsStreaming, "the loss is noticed");
        await server.StartAgainAsync("--save", "");
        await agent.UntilAsync(s => s.IsStreaming && s.Lineage != old, "the new history is followed");
        await using (var client = await RedisClient.ConnectAsync(server))
        {
            await client.DoAsync("SET", "new", "1");
            (await client.WaitAsync()).ShouldBe(1);
        }

        await agent.StopAsync();
        var bases = await agent.Catalog.ListBasesAsync(CancellationToken.None);

        var needs = (await agent.Source.FindLogNeedsAsync([.. bases.Select(b => b.Sealed)], bases[^1].Sealed.Manifest.Ended, CancellationToken.None))!;

        needs.Superfluous().ShouldHaveSingleItem().Lineage.ShouldBe(old);
    }

    [Fact]
    public async Task What_was_removed_is_no_damage_and_an_older_base_is_restored_as_it_was()
    {
        await using var server = await RedisServer.StartAsync("--save", "", "--repl-backlog-size", "64mb");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "before", "1");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.TakeAsync();
        var old = RedisCatalog.Read(await agent.TakeAsync());
        await client.DoAsync("SET", "behind", "1");
        (await client.WaitAsync()).ShouldBe(1);
        var newest = RedisCatalog.Read(await agent.TakeAsync());
        await client.DoAsync("SET", "last", "1");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();
        var inventory = await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None);
        var section = new LogSection(newest.Details.ReplicationId!, 0, newest.Details.Offset!.Value);
        List<LogPiece> gone = [.. inventory.Pieces.Where(p => section.Contains(p.Lineage, p.Range.Start, p.Range.End))];
        gone.ShouldNotBeEmpty();
        var pruned = inventory with { Pieces = [.. inventory.Pieces.Except(gone)], Pruned = new PrunedLog(newest.Details.At, [section]) };

        var path = Redis.CommandStream.StreamPath.Find(pruned, old.Details.Position!.Value);
        path.Hole!.ShouldContain("retention");
        Redis.Tail.TailStart.Decide(pruned, [old, newest])!.Value.Offset.ShouldBe(inventory.Pieces.Max(p => p.Range.End));

        var plan = await agent.RestoreAsync(targets["old"], $"offset:{old.Details.Offset}", old.Sealed.Id.ToString());
        plan.BackupId.ShouldBe(old.Sealed.Id.ToString());
        await using var restored = await RedisServer.StartInAsync(targets["old"], "--appendonly", "no");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.DoAsync("KEYS", "*")).Items!.Select(i => i.Text).ShouldBe(["before"]);
    }
}
