using System.Text.Json.Nodes;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Kubernetes;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Kubernetes.Tests.Sweeps;

/// <summary>A namespace that was deleted comes back.</summary>
internal sealed class RestoreOperation(TestCluster cluster) : SweptOperation
{
    private readonly Dictionary<string, JsonObject> model = Declared.Of(cluster.Server, "nlds");

    public override Task<MemoryObjectStore> PrepareAsync()
    {
        cluster.Server.Wipe("nlds");
        return cluster.Store.CopyAsync();
    }

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        var source = cluster.SourceOver(store);
        var plan = await source.PlanRestoreAsync(new RestoreRequest(), cancellationToken);
        (await source.RestoreAsync(plan, new Progress<TransferProgress>(), cancellationToken)).NotRestored.ShouldBeEmpty();
    }

    public override Task RequireDoneAsync(IObjectStore store)
    {
        var restored = Declared.Of(cluster.Server, "nlds");
        restored.Keys.ShouldBe(model.Keys, ignoreOrder: true);
        foreach (var (name, value) in restored)
        {
            Difference.Find(model[name], value).ShouldBeNull(name);
        }

        return Task.CompletedTask;
    }
}
