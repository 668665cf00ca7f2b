using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class FaultSweepTests
{
    [Theory]
    [InlineData(Fault.Transient)]
    [InlineData(Fault.LostAnswer)]
    [InlineData(Fault.HalfBody)]
    public async Task Whichever_call_fails_the_archive_is_complete_in_the_end(Fault fault)
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store);
        await agent.UntilStreamingAsync();
        for (var call = 1; call <= 14; call++)
        {
            agent.Store.FailCall(call, fault);

            await agent.UntilDurableAsync(await server.WriteAsync(600));
        }

        // While a tail begins, other calls are made.
        await agent.StopAsync();
        for (var call = 1; call <= 10; call++)
        {
            await using var beginner = TestAgent.For(server, store);
            beginner.Store.FailCall(call, fault);
            beginner.Start();

            await beginner.UntilDurableAsync(await server.WriteAsync(100));
            await beginner.StopAsync();
        }

        var archived = await ArchivedWal.ReadAsync(store);
        archived.End.ShouldBe(await server.WalEndAsync());
        archived.ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThanOrEqualTo(3);
        archived.Inventory.Gaps.ShouldBeEmpty();
    }
}
