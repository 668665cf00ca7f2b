using NLDS.BackupAgent.Postgres.Tests.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Backup;

public sealed class BaseBackupTakerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(14)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(18)]
    public async Task Every_major_version_is_backed_up_with_tablespaces_and_checksums_without_a_running_agent(int major)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Major = major, WalSegmentMegabytes = 1, DataChecksums = true, ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" },
        });
        var directory = await server.CreateServerDirectoryAsync("space");
        await server.ExecuteAsync($"CREATE TABLESPACE space LOCATION '{directory}'");
        await server.ExecuteAsync("CREATE TABLE spaced TABLESPACE space AS SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g");
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.For(server, store);

        var backup = await TakeAsync(agent);

        var details = PostgresCatalog.Read(backup).Details;
        details.Tablespaces.ShouldHaveSingleItem().Location.ShouldBe(directory);
        details.ServerVersion.ShouldStartWith($"{major}.");
        details.Files.ShouldBeGreaterThan(500);
        (await agent.Catalog.ListBackupsAsync(Token)).ShouldHaveSingleItem();
        var archived = await ArchivedWal.ReadAsync(store);
        archived.Start.ShouldBeLessThanOrEqualTo(Lsn.Parse(details.StartLsn));
        archived.End.ShouldBeGreaterThanOrEqualTo(Lsn.Parse(details.EndLsn));
        agent.Status.State.ShouldBe("stopped");
    }

    [Fact]
    public async Task A_backup_under_load_is_taken_beside_another_agent()
    {
        await using var server = await TestServers.StartAsync();
        var store = new MemoryObjectStore();
        await using var tailing = TestAgent.Start(server, store);
        await tailing.UntilStreamingAsync();
        tailing.Status.SnapshotNeeded.ShouldNotBeNull();
        await using var load = await WriteLoad.StartAsync(server);
        await using var agent = TestAgent.For(server, store);

        var backup = await TakeAsync(agent);

        var end = Lsn.Parse(PostgresCatalog.Read(backup).Details.EndLsn);
        (await ArchivedWal.ReadAsync(store)).End.ShouldBeGreaterThanOrEqualTo(end);
        agent.Status.State.ShouldBe("stopped");
        tailing.Status.IsStreaming.ShouldBeTrue();
    }

    [Fact]
    public async Task A_standby_can_be_backed_up()
    {
        await using var primary = await TestServers.StartAsync();
        await using var standby = await primary.CreateStandbyAsync();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(standby, store);
        await agent.UntilDurableAsync(await primary.WriteAsync());

        var backup = await TakeAsync(agent);

        var details = PostgresCatalog.Read(backup).Details;
        var archived = await ArchivedWal.ReadAsync(store);
        archived.Start.ShouldBeLessThanOrEqualTo(Lsn.Parse(details.StartLsn));
        archived.End.ShouldBeGreaterThanOrEqualTo(Lsn.Parse(details.EndLsn));
    }

    [Fact]
    public async Task A_damaged_page_is_named_and_nothing_is_sealed()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, DataChecksums = true });
        await server.ExecuteAsync("CREATE TABLE damaged AS SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g; CHECKPOINT");
        var path = await server.ScalarAsync<string>("SELECT pg_relation_filepath('damaged')");
        await server.StopAsync();
        await using (var file = File.Open(Path.Combine(server.DataDirectory, path), FileMode.Open))
        {
            file.Position = 8192 + 4000;
            file.Write("damaged"u8);
        }

        await server.StartAgainAsync();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.For(server, store);

        var failure = await Should.ThrowAsync<SourceException>(() => TakeAsync(agent));

        failure.Message.ShouldContain(path);
        await ShouldHoldNoBackupAsync(agent, store);
    }

    [Fact]
    public async Task A_connection_that_is_cut_in_the_middle_leaves_nothing()
    {
        await using var server = await TestServers.StartAsync();
        await server.WriteAsync(20_000);
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        var store = new MemoryObjectStore();
        await using var tailing = TestAgent.Start(server, store);
        await tailing.UntilStreamingAsync();
        await using var agent = TestAgent.For(server, store, o => o.Port = proxy.Port);
        var backup = TakeAsync(agent);
        await Eventually.TrueAsync(() => proxy.ToClient.BytesForwarded > 8 << 20 || backup.IsCompleted, "the backup is on its way");

        proxy.Cut();

        (await Should.ThrowAsync<SourceException>(() => backup)).IsPermanent.ShouldBeFalse();
        await ShouldHoldNoBackupAsync(agent, store);
    }

    [Fact]
    public async Task A_backup_is_sealed_only_when_its_wal_is_durable()
    {
        await using var server = await TestServers.StartAsync();
        var memory = new MemoryObjectStore();
        var gated = new GatedObjectStore(memory);
        await using var tailing = TestAgent.Start(server, gated);
        await tailing.UntilDurableAsync(await server.WriteAsync());
        gated.Close();
        await using var agent = TestAgent.For(server, memory);
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var backup = agent.Taker.TakeAsync(new Reporter(p => { if (p.Phase == "write-ahead log") { sent.TrySetResult(); } }), Token);

        await Task.WhenAny(sent.Task, backup);
        sent.Task.IsCompleted.ShouldBeTrue();
        backup.IsCompleted.ShouldBeFalse();
        (await agent.Catalog.ListBackupsAsync(Token)).ShouldBeEmpty();

        gated.Open();
        await backup;
        (await agent.Catalog.ListBackupsAsync(Token)).ShouldHaveSingleItem();
    }

    private static Task<SealedBackup> TakeAsync(TestAgent agent) => agent.Taker.TakeAsync(new Reporter(_ => { }), Token);

    private static async Task ShouldHoldNoBackupAsync(TestAgent agent, MemoryObjectStore store)
    {
        (await agent.Catalog.ListBackupsAsync(Token)).ShouldBeEmpty();
        await foreach (var info in store.ListAsync("postgres/full/", null, Token))
        {
            Assert.Fail($"{info.Key} was left behind.");
        }
    }

    private sealed class Reporter(Action<TransferProgress> report) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value) => report(value);
    }
}
