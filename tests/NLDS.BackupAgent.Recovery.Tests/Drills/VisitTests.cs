using NLDS.BackupAgent.Recovery.Tests.Bootstrap;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

/// <summary>What a server that something else has started is found to be.</summary>
public sealed class VisitTests(ProtectedCluster cluster) : IClassFixture<ProtectedCluster>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_restored_server_is_one()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = PostgresBench.For(null, cluster.Store());
        await agent.StartAsync(directory["data"], asCopy: true);
        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);

        (await ProveAsync(server)).Select(proof => (proof.What, proof.Verdict)).ShouldBe(
            [("recovery", ProofVerdict.Proven), ("closed off", ProofVerdict.Proven), ("collation versions", ProofVerdict.Proven), ("heaps and B-trees", ProofVerdict.NotLooked)]);
    }

    [Fact]
    public async Task Another_server_is_none()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions());

        (await ProveAsync(server))[0].ShouldSatisfyAllConditions(
            proof => proof.Verdict.ShouldBe(ProofVerdict.Failed), proof => proof.Words.ShouldContain("not the cluster that is backed up"));
    }

    [Fact]
    public async Task A_copy_that_archives_or_feeds_somebody_is_not_closed_off()
    {
        using var directory = new TemporaryDirectory();
        await using var agent = PostgresBench.For(null, cluster.Store());
        await agent.StartAsync(directory["data"], asCopy: true);
        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        await server.ExecuteAsync("SELECT pg_create_physical_replication_slot('somebody')");

        (await ProveAsync(server)).Single(proof => proof.What == "closed off").ShouldSatisfyAllConditions(
            proof => proof.Verdict.ShouldBe(ProofVerdict.Failed), proof => proof.Words.ShouldContain("1 replication slots"));
    }

    [Fact]
    public async Task A_load_reads_what_the_role_may_read()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions());
        await server.ExecuteAsync("CREATE TABLE hidden AS SELECT generate_series(1, 100000) AS number");
        using var directory = new TemporaryDirectory();
        await using var bench = Bench(directory, server);
        await using var copy = await bench.Postgres.At(new ServerPlace("127.0.0.1", server.Port)).VisitAsync(await PlanAsync(bench), Token);
        await using var client = await copy.ConnectAsync(null, Token);

        for (var request = 0; request < 20; request++)
        {
            await client.DoAsync(Token);
        }
    }

    [Fact]
    public async Task A_redis_without_data_is_no_restored_one()
    {
        var store = new MemoryObjectStore();
        await using (var original = await RedisServer.StartAsync())
        {
            await RedisDrillTests.WriteAsync(original, store);
        }

        using var directory = new TemporaryDirectory();
        await using var bench = new DrillBench(store, directory.Path);
        await using var empty = await RedisServer.StartAsync();
        var plan = await bench.Redis.PlanRestoreAsync(new RestoreRequest { HasTarget = false }, Token);
        await using var copy = await bench.Redis.At(new ServerPlace("127.0.0.1", empty.Port)).VisitAsync(plan, Token);

        (await copy.ProveAsync(TimeSpan.FromMinutes(1), Token))[0].Verdict.ShouldNotBe(ProofVerdict.Proven);
    }

    private async Task<IReadOnlyList<RehearsalProof>> ProveAsync(PostgresServer server)
    {
        using var directory = new TemporaryDirectory();
        await using var bench = Bench(directory, server);
        await using var copy = await bench.Postgres.At(new ServerPlace("127.0.0.1", server.Port)).VisitAsync(await PlanAsync(bench), Token);
        return await copy.ProveAsync(TimeSpan.FromMinutes(1), Token);
    }

    private DrillBench Bench(TemporaryDirectory directory, PostgresServer server) => new(
        cluster.Store(), directory.Path, server.Port, ("Postgres:Username", PostgresServer.BackupRole), ("Postgres:Password", PostgresServer.BackupPassword));

    private static Task<RestorePlan> PlanAsync(DrillBench bench) => bench.Postgres.PlanRestoreAsync(new RestoreRequest { HasTarget = false }, Token);
}
