using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Kubernetes.Tests.Sweeps;

/// <summary>A prune that removes all archives but the newest.</summary>
internal sealed class PruneOperation(TestCluster cluster, string newest) : SweptOperation
{
    public override Task<MemoryObjectStore> PrepareAsync() => cluster.Store.CopyAsync();

    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        (cluster.Options.Retention.KeepLast, cluster.Options.Retention.KeepWithin) = (1, TimeSpan.Zero);
        var pruner = new Pruner(cluster.RepositoryOver(store), new RetentionOptions(), NullLogger<Pruner>.Instance);
        await pruner.PruneAsync(cluster.SourceOver(store), allowLarge: true, limit: null, cancellationToken);
    }

    public override async Task RequireUnbrokenAsync(IObjectStore store)
    {
        var source = cluster.SourceOver(store);
        (await source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), CancellationToken.None)).Damage.ShouldBeEmpty();
        (await source.ListAsync(CancellationToken.None)).Backups[^1].Id.ToString().ShouldBe(newest);
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        await RequireUnbrokenAsync(store);
        (await cluster.SourceOver(store).ListAsync(CancellationToken.None)).Backups.ShouldHaveSingleItem();
        List<string> archives = [];
        await foreach (var info in store.ListAsync("kubernetes/", null, CancellationToken.None))
        {
            archives.Add(info.Key.Value);
        }

        archives.Where(key => key.Contains("kubernetes_backup_", StringComparison.Ordinal)).ShouldAllBe(key => key.Contains(newest, StringComparison.Ordinal));
    }
}
