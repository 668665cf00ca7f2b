using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.ApplicationData.Tests.Sweeps;

/// <summary>One backup of tables and keys, which a restore then finds unchanged.</summary>
internal sealed class TakeRowsOperation(Bench bench) : TakeOperation(bench.SourceOver)
{
    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await base.RequireDoneAsync(store);
        var plan = await bench.SourceOver(store).PlanRestoreAsync(new RestoreRequest(), CancellationToken.None);
        plan.Steps.Count.ShouldBe(4);
        plan.Steps.ShouldAllBe(step => step.Contains("0 new, 0 changed", StringComparison.Ordinal));
    }
}
