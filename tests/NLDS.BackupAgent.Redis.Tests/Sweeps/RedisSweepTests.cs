using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Redis.Tests.Sweeps;

/// <summary>Everything that is done with a Redis, broken at its calls to the store.</summary>
public sealed class RedisSweepTests(SweptRedis swept) : IClassFixture<SweptRedis>
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_tail_loses_nothing_that_WAIT_confirmed(Way way)
    {
        using var operation = new TailOperation(swept.Server);
        (await new Sweep(operation).RunAsync(way)).ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_snapshot_is_whole_or_does_not_exist(Way way) =>
        (await new Sweep(new SnapshotOperation(swept)).RunAsync(way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_restore_gives_all_of_it_or_nothing_that_starts(Way way)
    {
        using var operation = new RestoreOperation(swept);
        (await new Sweep(operation).RunAsync(way)).ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_verification_tells_damage_from_a_store_that_fails(Way way) =>
        (await new Sweep(new VerifyOperation(swept)) { Samples = 4 }.RunAsync(way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_prune_takes_the_older_copy_and_its_stream_and_nothing_else(Way way) =>
        (await new Sweep(new PruneOperation(swept)).RunAsync(way)).ShouldBeGreaterThan(0);
}

/// <summary>A server with something of everything, and the repository of another that was like it: a base, and commands behind it.</summary>
public sealed class SweptRedis : IAsyncLifetime
{
    public RedisServer Server { get; private set; } = null!;

    /// <summary>Where it speaks TLS.</summary>
    public int TlsPort { get; } = FreePorts.Take(1)[0];

    public TestCertificates Certificates { get; } = new("127.0.0.1");

    /// <summary>All that the repository's server held.</summary>
    public string Content { get; private set; } = "";

    internal Storage.MemoryObjectStore Store { get; } = new();

    /// <summary>Two copies, and the stream from the first to behind the second.</summary>
    internal Storage.MemoryObjectStore StoreOfTwo { get; } = new();

    public string NewestOfTwo { get; private set; } = "";

    public string ContentOfTwo { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Server = await RedisServer.StartAsync(
            "--save", "", "--repl-backlog-size", "16mb", "--tls-port", $"{TlsPort}", "--tls-cert-file", Certificates.ServerCertificatePath,
            "--tls-key-file", Certificates.ServerKeyPath, "--tls-ca-cert-file", Certificates.RootPath, "--tls-auth-clients", "no");
        await using var client = await RedisClient.ConnectAsync(Server);
        await TestData.WriteEverythingAsync(client, "before");
        await using var agent = TestAgent.Start(Server.Port, Store);
        await agent.UntilStreamingAsync();
        await TestData.WriteEverythingAsync(client, "behind");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();
        Content = await client.ContentAsync();
        await FillStoreOfTwoAsync(client);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Certificates.Dispose();
    }

    private async Task FillStoreOfTwoAsync(RedisClient client)
    {
        await using var agent = TestAgent.Start(Server.Port, StoreOfTwo);
        await agent.UntilStreamingAsync();
        await client.DoAsync("SET", "between", "the copies");
        (await client.WaitAsync()).ShouldBe(1);
        NewestOfTwo = (await agent.TakeAsync()).Id.ToString();
        await client.DoAsync("SET", "behind", "both");
        (await client.WaitAsync()).ShouldBe(1);
        await agent.StopAsync();
        ContentOfTwo = await client.ContentAsync();
    }
}
