using System.Globalization;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class ServerStopTests
{
    /// <summary>Alone it takes a fraction of a second; the promise is two, and the machine of a test has other work.</summary>
    private static readonly TimeSpan Healthy = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task A_fast_stop_under_load_is_quick_and_the_shutdown_checkpoint_is_durable()
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store);
        await using var load = await WriteLoad.StartAsync(server);
        await agent.UntilStreamingAsync();
        await load.UntilMoreAsync(100);

        var took = await StopAsync(server);

        took.ShouldBeLessThan(Healthy, server.ReadLog());
        await agent.UntilAsync(s => !s.IsStreaming, "the tail has noticed");
        var archived = await ArchivedWal.ReadAsync(store);
        archived.End.ShouldBeGreaterThan(await LastCheckpointAsync(server));
        archived.ShouldEqualFilesIn(server.WalDirectory());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fast_stop_waits_for_a_hanging_store_no_longer_than_the_bound(bool underLoad)
    {
        var timing = TestAgent.Impatient with { ReplyBound = TimeSpan.FromSeconds(2) };
        await using var server = await TestServers.StartAsync();
        var store = new GatedObjectStore(new MemoryObjectStore());
        await using var agent = TestAgent.Start(server, store, timing: timing);
        await agent.UntilDurableAsync(await server.WriteAsync());
        store.Close();
        try
        {
            // Under load it is more than all buffers between the server and the store hold.
            await server.WriteAsync(kilobytes: underLoad ? 40_000 : 10);
            await agent.UntilAsync(_ => store.Waiting > 0, "the store hangs");

            var took = await StopAsync(server);

            took.ShouldBeLessThan((timing.ReplyBound * 2) + Healthy, server.ReadLog());
        }
        finally
        {
            store.Open();
        }
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("immediate")]
    [InlineData("restart")]
    public async Task The_tail_goes_on_after_the_server_has_gone_and_come_back(string how)
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store);
        await agent.UntilDurableAsync(await server.WriteAsync());
        await using var load = await WriteLoad.StartAsync(server);
        for (var round = 0; round < 3; round++)
        {
            await agent.UntilStreamingAsync();
            agent.Tail.State.NeedSnapshot(null);
            await load.UntilMoreAsync(50);
            await (how switch
            {
                "kill" => server.KillAsync(),
                "immediate" => server.StopAsync(StopMode.Immediate),
                _ => server.StopAsync(),
            });

            await agent.UntilAsync(s => !s.IsStreaming, "the tail has noticed");
            load.ShouldBeHeld(agent.Status.RecoverableUntil, (await ArchivedWal.ReadAsync(store)).End);
            await server.StartAgainAsync();
        }

        await agent.UntilStreamingAsync();
        await load.UntilMoreAsync(20);
        await load.StopAsync();

        // A clean stop may have recycled every finished segment so far, and then there would be nothing to compare with.
        await server.ExecuteAsync("SELECT pg_switch_wal()");
        var end = await server.WalEndAsync();
        await agent.UntilDurableAsync(end);
        await agent.StopAsync();
        var archived = await ArchivedWal.ReadAsync(store);
        archived.ShouldEqualFilesIn(server.WalDirectory()).ShouldBeGreaterThanOrEqualTo(1);
        archived.Inventory.Gaps.ShouldBeEmpty();
    }

    private static async Task<TimeSpan> StopAsync(PostgresServer server)
    {
        var began = TimeProvider.System.GetTimestamp();
        await server.StopAsync();
        return TimeProvider.System.GetElapsedTime(began);
    }

    private static async Task<Lsn> LastCheckpointAsync(PostgresServer server)
    {
        var control = await ServerProcess.RunAsync("/usr/lib/postgresql/15/bin/pg_controldata", [server.DataDirectory], TestContext.Current.CancellationToken);
        var line = control.Split('\n').Single(l => l.StartsWith("Latest checkpoint location:", StringComparison.Ordinal));
        return Lsn.Parse(line[(line.LastIndexOf(' ') + 1)..].Trim().ToUpper(CultureInfo.InvariantCulture));
    }
}
