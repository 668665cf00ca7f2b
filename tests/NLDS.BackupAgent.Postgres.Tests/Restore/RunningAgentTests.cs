using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>Readers beside the agent that writes: what was found in one object may be in another when it is read.</summary>
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

    [Fact]
    public async Task A_listing_whose_last_chunk_became_part_of_its_segment_meanwhile_is_made_anew()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1 });
        var store = new MemoryObjectStore();
        await using var agent = Agent.For(server, store);
        await server.ExecuteAsync(Ledger.Create);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await Ledger.AppendAsync(server, 1);
        await agent.CatchUpAsync(server);
        var interrupted = new InterruptedObjectStore(store);
        await using var reader = Agent.For(null, interrupted);
        ObjectKey? merged = null;
        interrupted.BeforeRead = async key =>
        {
            if (merged is null && key.Value.StartsWith("postgres/wal/tail/00000001-", StringComparison.Ordinal))
            {
                merged = key;
                await server.ExecuteAsync("SELECT pg_switch_wal()");
                await Ledger.AppendAsync(server, 2);
                await Eventually.TrueAsync(async () => await store.HeadAsync(key, TestContext.Current.CancellationToken) is null, $"{key} became part of its segment");
            }
        };

        var listing = await reader.Source.ListAsync(TestContext.Current.CancellationToken);

        merged.ShouldNotBeNull();
        listing.Log.ShouldNotBeNull().RestorableTo.ShouldNotBeNull();
    }
}
