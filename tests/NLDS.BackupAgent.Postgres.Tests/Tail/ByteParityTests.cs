using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Tail;

public sealed class ByteParityTests
{
    [Theory]
    [InlineData(1, 6)]
    [InlineData(16, 3)]
    [InlineData(64, 2)]
    public async Task Segments_are_what_pg_receivewal_wrote_beside_under_load(int segmentMegabytes, int segments)
    {
        await using var server = await TestServers.StartAsync(segmentMegabytes: segmentMegabytes);
        using var received = new TemporaryDirectory();
        await server.ExecuteAsync("SELECT pg_create_physical_replication_slot('beside', true)");
        await using var beside = ServerProcess.Start(
            "/usr/lib/postgresql/15/bin/pg_receivewal",
            ["-D", received.Path, "-h", server.Host, "-p", $"{server.Port}", "-U", "postgres", "-S", "beside", "--no-sync", "--no-password"]);
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(server, store);
        await agent.UntilStreamingAsync();
        var start = await server.WalEndAsync();
        var end = start + (ulong)((long)segments * segmentMegabytes << 20);
        await using (var load = await WriteLoad.StartAsync(server, writers: 3, payloadBytes: segmentMegabytes == 1 ? 2000 : 200_000))
        {
            await Eventually.TrueAsync(async () => await server.WalEndAsync() > end, $"{segments} segments are written");
        }

        await server.ExecuteAsync("SELECT pg_switch_wal()");
        end = await server.WriteAsync();
        await agent.UntilDurableAsync(end);
        var last = WalSegment.Holding(end, 1, new WalSegmentSize(segmentMegabytes << 20));
        await Eventually.TrueAsync(() => File.Exists(received[last.Name + ".partial"]), $"pg_receivewal has come to {last.Name}");

        await agent.StopAsync();

        var archived = await ArchivedWal.ReadAsync(store, segmentMegabytes);
        archived.End.ShouldBeGreaterThanOrEqualTo(end);
        archived.ShouldEqualFilesIn(received.Path, segmentMegabytes).ShouldBeGreaterThanOrEqualTo(segments);
        archived.ShouldEqualFilesIn(server.WalDirectory(), segmentMegabytes).ShouldBeGreaterThanOrEqualTo(segments);
    }
}
