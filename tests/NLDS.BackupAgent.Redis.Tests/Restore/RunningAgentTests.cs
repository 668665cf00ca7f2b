using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Restore;

/// <summary>A restore beside the agent that writes: what the plan found in one object may be in another when it is read.</summary>
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
}
