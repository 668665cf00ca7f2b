using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Recovery.Tests.Bootstrap;

/// <summary>A server that came out of a bootstrap goes on with the original's archive, unless the original lives.</summary>
public sealed class SuccessionTests(ProtectedCluster cluster) : IClassFixture<ProtectedCluster>
{
    [Theory]
    [InlineData(null)]
    [InlineData("middle")]
    public async Task A_bootstrapped_server_goes_on_with_the_archive_and_nobody_has_to_say_so(string? to)
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        await using (var start = PostgresBench.For(null, store))
        {
            if (to is not null)
            {
                await start.RequestAsync(cluster.Middle);
            }

            await start.StartAsync(directory["data"]);
        }

        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        await Eventually.TrueAsync(async () => !await server.ScalarAsync<bool>("SELECT pg_is_in_recovery()"), "the server is promoted");
        await using (var agent = PostgresBench.For(server, store))
        {
            await agent.StartTailAsync();
            await agent.BackUpAsync();
            await server.ExecuteAsync("INSERT INTO ledger VALUES (0)");
            await agent.CatchUpAsync(server);
        }

        // And again: what was written since is there, and the second life is succeeded by a third.
        await using (var again = PostgresBench.For(null, store))
        {
            await again.StartAsync(directory["again"]);
        }

        await using var third = await PostgresServer.StartOnDirectoryAsync(directory["again"], 15);
        (await third.ScalarAsync<long>("SELECT count(*) FROM ledger")).ShouldBe((to is null ? ProtectedCluster.Rows : ProtectedCluster.Rows / 2) + 1);
    }

    [Fact]
    public async Task A_copy_never_takes_the_place_of_an_original_that_lives()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var original = await PostgresServer.StartAsync();
        await using var agent = PostgresBench.For(original, store);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await agent.CatchUpAsync(original);

        // Somebody starts a second environment on the first one's repository, as if it were the first.
        await using (var start = PostgresBench.For(null, store))
        {
            await start.StartAsync(directory["data"]);
        }

        await original.ExecuteAsync("CREATE TABLE written_since (n int)");
        await agent.CatchUpAsync(original);
        await agent.StopTailAsync();

        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        await using var other = PostgresBench.For(copy, store, "staging");
        var refusal = await Should.ThrowAsync<SourceException>(other.StartTailAsync);
        refusal.IsPermanent.ShouldBeTrue();
        refusal.Message.ShouldContain("the archive has gone on since");
        (await Should.ThrowAsync<SourceException>(other.BackUpAsync)).Message.ShouldContain("the archive has gone on since");

        // The original is as it was.
        await using var back = PostgresBench.For(original, store);
        await back.StartTailAsync();
        await back.CatchUpAsync(original);
    }
}
