using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Sweeps;
using NLDS.BackupAgent.Postgres.Tests.Tail;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>What is done with a running server, broken at its calls to the store.</summary>
public sealed class ServerSweepTests(SweptServer swept) : IClassFixture<SweptServer>
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_tail_loses_nothing_and_acknowledges_nothing_that_is_not_durable(Way way) =>
        (await new Sweep(new TailOperation(swept.Server)).RunAsync(way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_base_backup_is_whole_or_does_not_exist(Way way) =>
        (await new Sweep(new BaseBackupOperation(swept.Server)) { Samples = 1 }.RunAsync(way)).ShouldBeGreaterThan(0);
}

/// <summary>A server with a table that nobody changes.</summary>
public sealed class SweptServer : IAsyncLifetime
{
    public PostgresServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Server = await TestServers.StartAsync();
        await Server.ExecuteAsync("CREATE TABLE model AS SELECT g, md5(g::text) FROM generate_series(1, 2000) g; CHECKPOINT");
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
