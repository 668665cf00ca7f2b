using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class SynchronousTests
{
    [Theory]
    [InlineData("on")]
    [InlineData("remote_apply")]
    public async Task A_commit_returns_only_when_it_is_durable_in_the_store(string synchronousCommit)
    {
        await using var server = await TestServers.StartAsync();
        var memory = new MemoryObjectStore();
        var store = new GatedObjectStore(memory);
        await using var agent = TestAgent.Start(server, store, o => (o.Wal.Synchronous, o.Wal.FlushInterval) = (true, TimeSpan.FromMinutes(1)));
        await agent.UntilDurableAsync(await server.WriteAsync());
        await server.ExecuteAsync($"ALTER SYSTEM SET synchronous_commit = '{synchronousCommit}'");
        await server.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = '\"nlds-backup-agent\"'");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
        await agent.UntilAsync(
            _ => server.ScalarAsync<string>("SELECT sync_state FROM pg_stat_replication").GetAwaiter().GetResult() == "sync", "the agent is the synchronous standby");

        store.Close();
        var before = await server.WalEndAsync();
        var commit = server.ExecuteAsync("CREATE TABLE synchronous (x int)");
        await agent.UntilAsync(_ => store.Waiting > 0, "the commit stands before the gate");
        await Testing.Eventually.TrueAsync(
            async () => await server.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1, "the commit waits for the agent");
        commit.IsCompleted.ShouldBeFalse();

        store.Open();
        await commit;

        (await ArchivedWal.ReadAsync(memory)).End.ShouldBeGreaterThan(before);
    }
}
