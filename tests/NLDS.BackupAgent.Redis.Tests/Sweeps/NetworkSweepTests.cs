using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>The way to the server breaks, stalls and dribbles, wherever the protocol stands.</summary>
public sealed class NetworkSweepTests(SweptRedis swept) : IClassFixture<SweptRedis>
{
    private const int PiecesOfTheBeginning = 14;

    [Theory]
    [InlineData("cut", false)]
    [InlineData("end", false)]
    [InlineData("stall", false)]
    [InlineData("cut", true)]
    [InlineData("end", true)]
    [InlineData("stall", true)]
    public async Task A_tail_whose_connection_breaks_at_any_byte_of_its_beginning_recovers(string how, bool isEncrypted)
    {
        await using var proxy = TcpProxy.Start("127.0.0.1", isEncrypted ? swept.TlsPort : swept.Server.Port);
        await using var client = await RedisClient.ConnectAsync(swept.Server);
        long whole;
        await using (var agent = TestAgent.Start(proxy.Port, new MemoryObjectStore(), Settings(isEncrypted)))
        {
            await agent.UntilStreamingAsync();
            whole = proxy.ToClient.BytesForwarded;
        }

        for (var piece = 0; piece < PiecesOfTheBeginning; piece++)
        {
            // The handshake is short, and the copy behind it long: half of the places for each.
            var bytes = piece < PiecesOfTheBeginning / 2 ? 1 + (piece * 900) : piece * whole / PiecesOfTheBeginning;
            Action<long> breakAfter = how switch { "cut" => proxy.ToClient.CutAfter, "end" => proxy.ToClient.EndAfter, _ => proxy.ToClient.StallAfter };
            breakAfter(bytes);
            var clock = new HurriedClock(how == "stall" ? 40 : 1);
            await using var agent = TestAgent.Start(proxy.Port, new MemoryObjectStore(), Settings(isEncrypted), clock: clock, timing: TestAgent.Impatient with { SynchroniseBound = TimeSpan.FromMinutes(1) });
            await agent.UntilStreamingAsync();

            await client.DoAsync("SET", $"{how} {piece}", "1");
            (await client.WaitAsync()).ShouldBe(1, $"{how} after {bytes} of {whole} bytes: {agent.Status}");
            await agent.StopAsync();
            (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
            (await agent.Source.ListAsync(CancellationToken.None)).Backups.Count.ShouldBe(1);
        }
    }

    [Fact]
    public async Task A_tail_whose_bytes_come_one_at_a_time_lacks_nothing()
    {
        await using var server = await RedisServer.StartAsync("--save", "");
        await using var proxy = TcpProxy.Start("127.0.0.1", server.Port);
        proxy.ToClient.Dribble();
        proxy.ToServer.Dribble();
        await using var client = await RedisClient.ConnectAsync(server);
        await client.DoAsync("SET", "before", "1");
        await using var agent = TestAgent.Start(proxy.Port, new MemoryObjectStore());
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "behind", new string('x', 2_000));

        (await client.WaitAsync()).ShouldBe(1, agent.Status.ToString());
        await agent.StopAsync();
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("end")]
    [InlineData("stall")]
    public async Task A_snapshot_over_TLS_whose_connection_breaks_does_not_exist_and_the_next_one_does(string how)
    {
        await using var proxy = TcpProxy.Start("127.0.0.1", swept.TlsPort);
        var store = new MemoryObjectStore();
        var settings = Settings(isEncrypted: true) + (options => options.Mode = RedisMode.Snapshot);
        foreach (var bytes in (long[])[1, 1_000, 3_000, 10_000])
        {
            Action<long> breakAfter = how switch { "cut" => proxy.ToClient.CutAfter, "end" => proxy.ToClient.EndAfter, _ => proxy.ToClient.StallAfter };
            breakAfter(bytes);
            await using var agent = TestAgent.For(proxy.Port, store, settings, clock: new HurriedClock(how == "stall" ? 40 : 1));

            (await Should.ThrowAsync<SourceException>(() => agent.TakeAsync())).IsPermanent.ShouldBeFalse($"{how} after {bytes} bytes");
            (await agent.Source.ListAsync(CancellationToken.None)).Backups.ShouldBeEmpty();
        }

        await using var whole = TestAgent.For(proxy.Port, store, settings);
        await whole.TakeAsync();
        (await whole.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    private Action<RedisOptions> Settings(bool isEncrypted) => options => (options.Tls, options.RootCertificate) = (isEncrypted, swept.Certificates.RootPath);
}
