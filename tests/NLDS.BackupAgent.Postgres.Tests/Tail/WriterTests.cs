using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

/// <summary>Two agents, or two servers, that want one archive.</summary>
public sealed class WriterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_second_agent_on_one_server_is_refused_and_takes_over_after_a_kill_and_after_an_orderly_end()
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using var first = TestAgent.Start(server, store);
        await first.UntilDurableAsync(await server.WriteAsync());

        await using (var second = TestAgent.Start(server, store))
        {
            var refusal = await second.RefusalAsync();
            refusal.IsPermanent.ShouldBeTrue();
            refusal.Message.ShouldStartWith("Another agent (agent ");
            refusal.Message.ShouldContain("Storage prefix");
        }

        await first.AbandonAsync();
        await using var third = TestAgent.Start(server, store);
        await third.UntilDurableAsync(await server.WriteAsync(2500));
        await third.StopAsync();
        await using var fourth = TestAgent.Start(server, store);
        await fourth.UntilDurableAsync(await server.WriteAsync());
        await fourth.StopAsync();

        var archived = await ArchivedWal.ReadAsync(store);
        archived.ShouldEqualFilesIn(server.WalDirectory());
        archived.Inventory.Gaps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_tail_whose_lease_was_taken_ends_and_removes_nothing_more()
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using var first = TestAgent.Start(server, store);
        await first.UntilDurableAsync(await server.WriteAsync());

        // As if it had been paused for a minute and another had come.
        await store.PutIfAbsentAsync(new ObjectKey("postgres/lease/00000000000000ff.json"), "{}"u8.ToArray(), Token);
        var deletes = 0;
        first.Store.FailWhen((_, operation) =>
        {
            deletes += operation == "delete" ? 1 : 0;
            return null;
        });
        await server.WriteAsync(2500);

        (await first.RefusalAsync()).IsPermanent.ShouldBeTrue();
        deletes.ShouldBe(0);
        first.Status.State.ShouldBe("stopped");
    }

    [Fact]
    public async Task An_old_primary_that_comes_back_after_a_failover_is_refused_until_it_follows_the_new_one()
    {
        await using var primary = await TestServers.StartAsync(settings: ("wal_log_hints", "on"));
        await using var standby = await primary.CreateStandbyAsync();
        var store = new MemoryObjectStore();
        await using (var before = TestAgent.Start(primary, store))
        {
            var end = await primary.WriteAsync(2500);
            await before.UntilDurableAsync(end);
            await Eventually.TrueAsync(() => standby.ScalarAsync<bool>($"SELECT pg_last_wal_replay_lsn() >= '{end}'"), "the standby has it all");
            await before.StopAsync();
        }

        await primary.StopAsync();
        await standby.PromoteAsync();
        await using (var after = TestAgent.Start(standby, store))
        {
            await after.UntilAsync(s => s.IsStreaming && s.Lineage == "00000002", "the new primary is streamed");
            await after.UntilDurableAsync(await standby.WriteAsync());
            await after.StopAsync();
        }

        await primary.StartAgainAsync();
        await primary.WriteAsync();
        await using (var wrong = TestAgent.Start(primary, store))
        {
            var refusal = await wrong.RefusalAsync();
            refusal.IsPermanent.ShouldBeTrue();
            refusal.Message.ShouldContain("Timeline 1 ended at");
            refusal.Message.ShouldContain("Rebuild it as a standby");
        }

        await using var rebuilt = await standby.CreateStandbyAsync();
        await using var right = TestAgent.Start(rebuilt, store);
        await right.UntilDurableAsync(await standby.WriteAsync());
        right.Status.Lineage.ShouldBe("00000002");
    }

    [Fact]
    public async Task A_standby_that_has_not_yet_followed_a_promotion_is_waited_for()
    {
        await using var primary = await TestServers.StartAsync();
        await using var promoted = await primary.CreateStandbyAsync();
        await using var lagging = await primary.CreateStandbyAsync();
        var store = new MemoryObjectStore();
        await using (var agent = TestAgent.Start(primary, store))
        {
            await agent.UntilDurableAsync(await primary.WriteAsync());
            await agent.StopAsync();
        }

        var end = await primary.WalEndAsync();
        await Eventually.TrueAsync(() => promoted.ScalarAsync<bool>($"SELECT pg_last_wal_replay_lsn() >= '{end}'"), "the standby has it all");
        await primary.StopAsync();
        await promoted.PromoteAsync();
        await using (var agent = TestAgent.Start(promoted, store))
        {
            await agent.UntilAsync(s => s.IsStreaming && s.Lineage == "00000002", "the new primary is streamed");
            await agent.UntilDurableAsync(await promoted.WriteAsync());
            await agent.StopAsync();
        }

        await using var waiting = TestAgent.Start(lagging, store);
        await waiting.UntilAsync(s => s.LastError?.Contains("Waiting for it to follow", StringComparison.Ordinal) == true, "it is waited for");

        await lagging.ExecuteAsync($"ALTER SYSTEM SET primary_conninfo = 'host={promoted.Host} port={promoted.Port} user=postgres'");
        await lagging.ExecuteAsync("SELECT pg_reload_conf()");
        await waiting.UntilAsync(s => s.IsStreaming && s.Lineage == "00000002", "it has followed");
    }

    [Fact]
    public async Task A_copy_of_the_disk_is_not_backed_up_beside_the_agent_of_the_original()
    {
        await using var server = await TestServers.StartAsync();
        await server.WriteAsync();
        await server.StopAsync();
        using var directory = new TemporaryDirectory();
        LineageTests.Copy(server.DataDirectory, directory["data"]);
        await server.StartAgainAsync();
        var store = new MemoryObjectStore();
        await using var tailing = TestAgent.Start(server, store);
        await tailing.UntilDurableAsync(await server.WriteAsync(2500));
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);

        // It has the same system identifier, no mark, and positions that the original's WAL covers.
        await using var agent = TestAgent.For(copy, store, patience: TimeSpan.FromSeconds(2));
        var refusal = await Should.ThrowAsync<SourceException>(() => agent.Taker.TakeAsync(new Progress<TransferProgress>(), Token));

        refusal.Message.ShouldContain("does not stream from slot 'nlds_backup' of this server");
        (await agent.Catalog.ListBackupsAsync(Token)).ShouldBeEmpty();
        tailing.Status.IsStreaming.ShouldBeTrue();
    }
}
