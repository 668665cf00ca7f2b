using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Tests.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class SlotTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_slot_that_another_holds_is_waited_for_and_the_holder_is_named()
    {
        await using var server = await TestServers.StartAsync();
        var other = await server.OpenAsync();
        await using (other)
        {
            await other.CreatePhysicalSlotAsync("nlds_backup", temporary: false, Token);
            var start = (await other.IdentifySystemAsync(Token)).Position;
            var stream = await other.StartReplicationAsync("nlds_backup", start, 1, Token);
            await using var agent = TestAgent.Start(server, new MemoryObjectStore());

            await agent.UntilAsync(s => s.State == "waiting" && s.LastError is not null, "the agent waits");
            agent.Status.LastError!.ShouldContain($"{other.BackendProcessId}");

            await stream.StopAsync(Token);
            await agent.UntilStreamingAsync();
            agent.Status.LastError.ShouldBeNull();
        }
    }

    [Fact]
    public async Task A_slot_that_was_dropped_with_its_wal_is_a_gap_and_streaming_goes_on()
    {
        await using var server = await TestServers.StartAsync(15, 1, ("wal_keep_size", "0"), ("min_wal_size", "2MB"), ("max_wal_size", "2MB"));
        var store = new MemoryObjectStore();
        await using (var before = TestAgent.Start(server, store))
        {
            await before.UntilDurableAsync(await server.WriteAsync());
            await before.StopAsync();
        }

        await server.ExecuteAsync("SELECT pg_drop_replication_slot('nlds_backup')");
        await RemoveWalAsync(server);
        await using var after = TestAgent.Start(server, store);
        await after.UntilAsync(s => s.Gaps == 1 && s.IsStreaming, "the gap is counted and the stream goes on");
        await after.UntilDurableAsync(await server.WriteAsync());

        after.Status.SnapshotNeeded.ShouldNotBeNull();
        after.Status.RecoverableUntil.ShouldBeNull();
        await after.StopAsync();
        var inventory = await ArchivedWal.InventoryAsync(store);
        var gap = inventory.Gaps.ShouldHaveSingleItem();
        inventory.Cover("00000001", inventory.Pieces.Min(p => p.Range.Start)).End.ShouldBe(gap.Start);
        (await ArchivedWal.ReadAsync(store, from: new Lsn(gap.End))).ShouldEqualFilesIn(server.WalDirectory());
    }

    [Fact]
    public async Task A_slot_that_was_invalidated_is_made_anew()
    {
        await using var server = await TestServers.StartAsync(
            15, 1, ("wal_keep_size", "0"), ("min_wal_size", "2MB"), ("max_wal_size", "2MB"), ("max_slot_wal_keep_size", "2MB"));
        var store = new MemoryObjectStore();
        await using (var before = TestAgent.Start(server, store))
        {
            await before.UntilDurableAsync(await server.WriteAsync());
            await before.StopAsync();
        }

        await RemoveWalAsync(server);
        (await server.ScalarAsync<string>("SELECT wal_status FROM pg_replication_slots")).ShouldBe("lost");
        await using var after = TestAgent.Start(server, store);
        await after.UntilAsync(s => s.Gaps == 1 && s.IsStreaming, "the gap is counted and the stream goes on");
        await after.UntilDurableAsync(await server.WriteAsync());
        (await server.ScalarAsync<string>("SELECT wal_status FROM pg_replication_slots")).ShouldBe("reserved");
    }

    [Fact]
    public async Task The_room_of_a_slot_shrinks_while_the_agent_is_away_and_is_zero_when_it_is_lost()
    {
        await using var server = await TestServers.StartAsync(
            15, 1, ("wal_keep_size", "0"), ("min_wal_size", "2MB"), ("max_wal_size", "2MB"), ("max_slot_wal_keep_size", "8MB"));
        await using var agent = TestAgent.Start(server, new MemoryObjectStore());
        await agent.UntilDurableAsync(await server.WriteAsync());
        await agent.StopAsync();
        var close = await agent.Sql.ReadSlotRoomAsync(agent.Options.Slot, Token);
        close.LimitBytes.ShouldBe(8 << 20);
        close.Bytes.ShouldNotBeNull().ShouldBeGreaterThan(6 << 20);

        await server.WriteAsync(4000);
        await server.ExecuteAsync("SELECT pg_switch_wal()");
        (await agent.Sql.ReadSlotRoomAsync(agent.Options.Slot, Token)).Bytes.ShouldNotBeNull().ShouldBeLessThan(close.Bytes.Value);

        for (var round = 0; round < 4; round++)
        {
            await RemoveWalAsync(server);
        }

        (await agent.Sql.ReadSlotRoomAsync(agent.Options.Slot, Token)).Bytes.ShouldBe(0);
    }

    [Fact]
    public async Task A_slot_without_a_limit_and_a_slot_that_is_not_there_say_nothing_of_room()
    {
        await using var server = await TestServers.StartAsync();
        await using var agent = TestAgent.Start(server, new MemoryObjectStore());
        await agent.UntilStreamingAsync();

        (await agent.Sql.ReadSlotRoomAsync(agent.Options.Slot, Token)).ShouldBe(new SlotRoom(null, null));
        (await agent.Sql.ReadSlotRoomAsync("another", Token)).ShouldBe(new SlotRoom(null, null));
    }

    [Theory]
    [InlineData(14)]
    [InlineData(15)]
    public async Task A_logical_slot_of_that_name_is_left_alone(int major)
    {
        await using var server = await TestServers.StartAsync(major, 1, ("wal_level", "logical"));
        await server.ExecuteAsync("SELECT pg_create_logical_replication_slot('nlds_backup', 'test_decoding')");
        await using var agent = TestAgent.Start(server, new MemoryObjectStore());

        await agent.UntilAsync(s => s.LastError is not null, "the agent complains");

        (await server.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical'")).ShouldBe(1);
    }

    [Fact]
    public async Task What_is_acknowledged_is_the_durable_end_exactly()
    {
        await using var server = await TestServers.StartAsync();
        await using var agent = TestAgent.Start(server, new MemoryObjectStore());

        var end = await server.WriteAsync(2500);
        await agent.UntilDurableAsync(end);

        await Eventually.TrueAsync(async () => await server.SlotPositionAsync() == $"{agent.Durable}", "the slot is at the durable end");
        var acknowledged = await server.ScalarAsync<string>(
            "SELECT format('%s %s %s', write_lsn, flush_lsn, replay_lsn) FROM pg_stat_replication WHERE application_name = 'nlds-backup-agent'");
        acknowledged.ShouldBe($"{agent.Durable} {agent.Durable} {agent.Durable}");
    }

    /// <summary>Writes so much that the server recycles everything that no slot holds.</summary>
    private static async Task RemoveWalAsync(PostgresServer server)
    {
        for (var round = 0; round < 3; round++)
        {
            await server.WriteAsync(4000);
            await server.ExecuteAsync("SELECT pg_switch_wal(); CHECKPOINT");
        }
    }
}
