using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>A restore beside the agent that writes: what the plan found in one object may be in another when it is read.</summary>
public sealed class RunningAgentTests
{
    [Fact]
    public async Task Chunks_that_became_a_segment_between_plan_and_restore_are_read_where_they_are_now()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1 });
        await using var agent = Agent.For(server, new MemoryObjectStore());
        await server.ExecuteAsync(Ledger.Create);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await Ledger.AppendAsync(server, 1);
        await agent.CatchUpAsync(server);
        using var directory = new TemporaryDirectory();
        var plan = await agent.PlanAsync(directory["data"]);
        var planned = plan.WalFiles[^1].Pieces;
        planned.ShouldAllBe(piece => piece.Name.Contains('-'));
        await Ledger.AppendAsync(server, 2);
        await server.ExecuteAsync("SELECT pg_switch_wal()");
        await agent.CatchUpAsync(server);
        var log = await agent.LogAsync();
        foreach (var piece in planned)
        {
            await Eventually.TrueAsync(async () => !await log.ExistsAsync(piece, TestContext.Current.CancellationToken), $"{piece.Name} became part of its segment");
        }

        await agent.RestoreAsync(plan);

        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await Ledger.LastAsync(copy)).ShouldBe(1);
    }
}
