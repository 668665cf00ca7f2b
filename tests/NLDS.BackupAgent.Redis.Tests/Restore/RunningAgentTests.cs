using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>Readers beside the agent that writes: what was found in one object may be in another when it is read.</summary>
public sealed class RunningAgentTests : IDisposable
{
    private readonly MemoryObjectStore store = new();
    private readonly TemporaryDirectory targets = new();

    public void Dispose() => targets.Dispose();

    [Fact]
    public async Task Chunks_that_were_merged_between_plan_and_restore_are_read_where_they_are_now()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        await client.WaitAsync();
        await client.DoAsync("SET", "b", "2");
        await client.WaitAsync();
        var content = await client.ContentAsync();
        var plan = await agent.Source.PlanRestoreAsync(new RestoreRequest { TargetDirectory = targets["restored"] }, CancellationToken.None);
        var planned = (await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None)).Pieces;
        for (var merged = false; !merged;)
        {
            await client.DoAsync("SET", "later", "3");
            await client.WaitAsync();
            merged = !(await agent.Catalog.OpenLog().ReadInventoryAsync(CancellationToken.None)).Pieces.Contains(planned[0]);
        }

        await agent.Source.RestoreAsync(plan, new Progress<TransferProgress>(), CancellationToken.None);

        await using var restored = await RedisServer.StartInAsync(targets["restored"], "--appendonly", "yes");
        await using var look = await RedisClient.ConnectAsync(restored);
        (await look.ContentAsync()).ShouldBe(content);
    }

    [Fact]
    public async Task A_listing_whose_last_chunk_was_merged_meanwhile_is_made_anew()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var client = await RedisClient.ConnectAsync(server);
        await using var agent = TestAgent.Start(server.Port, store);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "a", "1");
        await client.WaitAsync();
        var interrupted = new InterruptedObjectStore(store);
        await using var reader = TestAgent.For(server.Port, interrupted);
        ObjectKey? merged = null;
        interrupted.BeforeRead = async key =>
        {
            if (merged is null && key.Value.StartsWith("redis/stream/tail/", StringComparison.Ordinal) && key.Value.Count(c => c == '-') == 2)
            {
                merged = key;
                while (await store.HeadAsync(key, CancellationToken.None) is not null)
                {
                    await client.DoAsync("SET", "later", "2");
                    await client.WaitAsync();
                }
            }
        };

        var listing = await reader.Source.ListAsync(CancellationToken.None);

        merged.ShouldNotBeNull();
        listing.Log.ShouldNotBeNull().RestorableTo.ShouldNotBeNull();
    }
}
