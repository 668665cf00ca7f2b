using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Tests.Protocol;
using NLDS.BackupAgent.Postgres.Tests.Tail;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>The way to the server breaks, stalls and dribbles, wherever the protocol stands.</summary>
public sealed class NetworkSweepTests(SweptServer swept, SweptTlsServer sweptTls) : IClassFixture<SweptServer>, IClassFixture<SweptTlsServer>
{
    private const int PiecesOfTheBeginning = 12;

    private static readonly TimeSpan Impatience = TimeSpan.FromMilliseconds(700);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_tail_whose_connection_is_cut_at_any_byte_recovers_and_lacks_nothing(bool isEncrypted)
    {
        var server = isEncrypted ? sweptTls.Server : swept.Server;
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        var (toServer, toClient) = await BytesOfABeginningAsync(server, proxy, isEncrypted);
        foreach (var (direction, bytes) in Spread(toServer).Select(n => (proxy.ToServer, n)).Concat(Spread(toClient).Append(toClient + 100_000).Select(n => (proxy.ToClient, n))))
        {
            var store = new MemoryObjectStore();
            direction.CutAfter(bytes);
            await using var agent = TestAgent.Start(server, store, o => Through(o, proxy, isEncrypted));
            await agent.UntilDurableAsync(await server.WriteAsync(300));
            await agent.StopAsync();

            (await ArchivedWal.ReadAsync(store)).ShouldEqualFilesIn(server.WalDirectory());
        }
    }

    [Fact]
    public async Task A_tail_whose_server_falls_silent_at_any_byte_gives_the_connection_up()
    {
        var server = swept.Server;
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        await using (await ReplicationConnection.OpenAsync(server.SettingsFor() with { Port = proxy.Port }, Token))
        {
            // Up to here the connection's own bound holds.
        }

        var authenticated = proxy.ToClient.BytesForwarded;
        var (_, toClient) = await BytesOfABeginningAsync(server, proxy, isEncrypted: false);
        foreach (var bytes in Spread(toClient - authenticated).Select(n => authenticated + n))
        {
            var store = new MemoryObjectStore();
            proxy.ToClient.StallAfter(bytes);
            await using var agent = TestAgent.Start(
                server, store, o => Through(o, proxy, isEncrypted: false), TestAgent.Impatient with { SilenceBound = Impatience });
            await agent.UntilAsync(
                _ => agent.Log.Lines.Any(line => line.Contains("has not said anything", StringComparison.Ordinal)), $"the silence behind byte {bytes} of {toClient} is noticed");

            await agent.UntilDurableAsync(await server.WriteAsync());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(100)]
    public async Task A_server_that_falls_silent_while_it_lets_us_in_is_given_up(int bytes)
    {
        await using var proxy = TcpProxy.Start(swept.Server.Host, swept.Server.Port);
        proxy.ToClient.StallAfter(bytes);

        var lost = await Should.ThrowAsync<ConnectionLostException>(
            () => ReplicationConnection.OpenAsync(swept.Server.SettingsFor() with { Port = proxy.Port, ConnectTimeout = Impatience }, Token));

        lost.Message.ShouldContain("did not accept a connection within");
    }

    [Fact]
    public async Task A_tail_whose_bytes_come_one_at_a_time_lacks_nothing()
    {
        await using var proxy = TcpProxy.Start(swept.Server.Host, swept.Server.Port);
        proxy.ToClient.Dribble();
        proxy.ToServer.Dribble();
        var store = new MemoryObjectStore();
        await using var agent = TestAgent.Start(swept.Server, store, o => Through(o, proxy, isEncrypted: false));
        await agent.UntilStreamingAsync();
        proxy.ToClient.Dribble(false);
        await agent.UntilDurableAsync(await swept.Server.WriteAsync());
        proxy.ToClient.Dribble();
        await agent.UntilDurableAsync(await swept.Server.WriteAsync(1));
        await agent.StopAsync();

        (await ArchivedWal.ReadAsync(store)).ShouldEqualFilesIn(swept.Server.WalDirectory());
    }

    [Fact]
    public async Task A_base_backup_whose_connection_is_cut_does_not_exist_and_the_next_one_does()
    {
        var server = swept.Server;
        await using var proxy = TcpProxy.Start(server.Host, server.Port);
        await using var tail = TestAgent.Start(server, new MemoryObjectStore());
        await tail.UntilStreamingAsync();
        tail.Options.Port = proxy.Port;
        foreach (var bytes in (long[])[100, 600, 5_000, 1_000_000, 15_000_000])
        {
            proxy.ToClient.CutAfter(bytes);

            (await Should.ThrowAsync<SourceException>(() => tail.Taker.TakeAsync(new Progress<TransferProgress>(), Token))).IsPermanent.ShouldBeFalse();
            (await tail.Catalog.ListBackupsAsync(Token)).ShouldBeEmpty($"cut after {bytes} bytes");
        }

        await tail.Taker.TakeAsync(new Progress<TransferProgress>(), Token);
        (await tail.Catalog.ListBackupsAsync(Token)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2_000_000)]
    public async Task A_base_backup_whose_server_falls_silent_is_given_up(int bytes)
    {
        var clock = new ManualClock();
        await using var proxy = TcpProxy.Start(swept.Server.Host, swept.Server.Port);
        await using var connection = await ReplicationConnection.OpenAsync(swept.Server.SettingsFor() with { Port = proxy.Port, Time = clock }, Token);
        var before = proxy.ToClient.BytesForwarded;
        proxy.ToClient.StallAfter(bytes);

        var taking = CollectedBackup.TakeAsync(connection, new BaseBackupOptions { Label = "silent" }, Token);
        await Eventually.TrueAsync(() => proxy.ToClient.BytesForwarded - before >= bytes, "the server falls silent");

        var lost = await Should.ThrowAsync<ConnectionLostException>(
            clock.PassUntilAsync(taking, TimeSpan.FromHours(1)).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System));
        lost.Message.ShouldContain("has not said anything for");
    }

    private static void Through(PostgresOptions options, TcpProxy proxy, bool isEncrypted) =>
        (options.Port, options.SslMode) = (proxy.Port, isEncrypted ? "require" : "disable");

    /// <summary>How many bytes go each way until a tail of an empty repository streams.</summary>
    private static async Task<(long ToServer, long ToClient)> BytesOfABeginningAsync(PostgresServer server, TcpProxy proxy, bool isEncrypted)
    {
        var before = (proxy.ToServer.BytesForwarded, proxy.ToClient.BytesForwarded);
        await using var agent = TestAgent.Start(server, new MemoryObjectStore(), o => Through(o, proxy, isEncrypted));
        await agent.UntilStreamingAsync();
        return (proxy.ToServer.BytesForwarded - before.Item1, proxy.ToClient.BytesForwarded - before.Item2);
    }

    private static IEnumerable<long> Spread(long bytes) => Enumerable.Range(0, PiecesOfTheBeginning).Select(piece => 1 + (piece * bytes / PiecesOfTheBeginning));
}

/// <summary>The same with TLS.</summary>
public sealed class SweptTlsServer : IAsyncLifetime
{
    private readonly TestCertificates certificates = new("127.0.0.1");

    public PostgresServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await PostgresServer.StartAsync(new PostgresServerOptions
    {
        Certificates = certificates,
        WalSegmentMegabytes = 1,
        ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off", ["wal_keep_size"] = "1GB", ["autovacuum"] = "off" },
    });

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        certificates.Dispose();
    }
}
