using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>Only the agent that has the lease removes anything.</summary>
public sealed class PruneLeaseTests
{
    private readonly PruneBench bench = new();

    [Fact]
    public async Task A_prune_beside_the_agent_that_writes_is_refused_and_removes_nothing()
    {
        await bench.FillAsync(20);
        var before = await bench.KeysAsync("source/full/");
        await using var writing = Leases("writing");
        await using var hold = (await writing.For("source").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();
        await using var own = Leases("by hand");

        (await Should.ThrowAsync<SourceException>(() => PruneAsync(own))).Message.ShouldContain("Another agent (writing on");

        (await bench.KeysAsync("source/full/")).ShouldBe(before);
    }

    [Fact]
    public async Task A_prune_that_is_succeeded_on_its_way_removes_nothing_more()
    {
        await bench.FillAsync(20);
        await using var own = Leases("paused");
        await using var hold = (await own.For("source").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();
        await bench.Store.PutIfAbsentAsync(new ObjectKey("source/lease/00000000000000ff.json"), "{}"u8.ToArray(), CancellationToken.None);

        await Should.ThrowAsync<SourceException>(() => PruneAsync(own));

        (await bench.IdsAsync()).Count.ShouldBe(20);
    }

    [Fact]
    public async Task A_prune_takes_the_lease_and_gives_it_back()
    {
        await bench.FillAsync(20);
        await using var own = Leases("by hand");

        (await PruneAsync(own)).Backups.ShouldBe(16);

        await using var next = Leases("next");
        await using var hold = (await next.For("source").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();
    }

    private Task<PruneReport> PruneAsync(WriterLeases leases) =>
        new Pruner(bench.Repository, new RetentionOptions(), NullLogger<Pruner>.Instance, leases).PruneAsync(bench, allowLarge: true, limit: null, CancellationToken.None);

    private WriterLeases Leases(string instance) => new(bench.Repository, AgentIdentity.OfThisProcess(instance), NullLogger<WriterLeases>.Instance);
}
