using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Postgres.Tests.Sweeps;

/// <summary>A prune that removes the older backup and the log before the newer.</summary>
internal sealed class PruneOperation(RecordedArchive archive) : SweptOperation
{
    private static readonly Dictionary<string, string?> OnlyTheLast = new()
    {
        ["Postgres:Retention:KeepLast"] = "1",
        ["Postgres:Retention:KeepDaily"] = "0",
        ["Postgres:Retention:KeepWeekly"] = "0",
        ["Postgres:Retention:KeepMonthly"] = "0",
        ["Postgres:Retention:RecoveryWindow"] = "00:00:00",
    };

    private ulong processes;

    public override Task<MemoryObjectStore> PrepareAsync() => archive.Store.CopyAsync();

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        // Each time another process, which is gone for whoever looks for it.
        var process = ProcessIdentity.OfThisProcess with { StartTicks = ++processes };
        await using var agent = Agent.For(null, store, OnlyTheLast, identity: new AgentIdentity("prune", "test", process));
        await agent.Pruner.PruneAsync(agent.Source, allowLarge: true, limit: null, cancellationToken);
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        await using var agent = Agent.For(null, store);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        var plan = await agent.PlanAsync("/nowhere/yet");
        plan.BackupId.ShouldBe(archive.SecondBackup);
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await RequireUnbrokenAsync(store);
        await using var agent = Agent.For(null, store);
        (await agent.Source.ListAsync(CancellationToken.None)).Backups.ShouldHaveSingleItem().Id.ToString().ShouldBe(archive.SecondBackup);
        (await store.ListAsync($"postgres/full/{archive.FirstBackup}")).ShouldBeEmpty();
    }
}
