using System.Text.Json.Nodes;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Kubernetes.Tests.Sweeps;

/// <summary>Everything that is done with a namespace, broken at its calls to the store.</summary>
public sealed class KubernetesSweepTests
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_backup_is_whole_or_does_not_exist(Way way)
    {
        await using var cluster = await TestCluster.StartAsync();
        (await new Sweep(new TakeOperation(cluster.SourceOver)) { Samples = 4 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_restore_that_broke_is_completed_by_the_next(Way way)
    {
        await using var cluster = await TestCluster.StartAsync();
        await cluster.TakeAsync();
        (await new Sweep(new RestoreOperation(cluster)).RunAsync(way)).ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_prune_takes_the_older_archive_and_nothing_else(Way way)
    {
        var clock = new ManualClock();
        await using var cluster = await TestCluster.StartAsync(clock: clock);
        await cluster.TakeAsync();
        clock.Advance(TimeSpan.FromMinutes(30));
        cluster.Server.Change("configmaps", "nlds", cluster.Server.List("configmaps", "nlds")[0]["metadata"]!["name"]!.GetValue<string>(), map => map["data"] = new JsonObject { ["changed"] = "yes" });
        var newest = await cluster.TakeAsync();
        clock.Advance(TimeSpan.FromMinutes(1));
        (await new Sweep(new PruneOperation(cluster, newest.Id.ToString())) { Samples = 4 }.RunAsync(way)).ShouldBeGreaterThan(0);
    }
}
