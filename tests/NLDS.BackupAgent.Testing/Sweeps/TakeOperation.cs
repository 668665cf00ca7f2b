using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Testing.Sweeps;

/// <summary>One backup of a source that has no log.</summary>
/// <param name="sourceOver">The source, with its way to a store.</param>
public class TakeOperation(Func<IObjectStore, ISnapshotSource> sourceOver) : SweptOperation
{
    public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
    {
        var taken = await sourceOver(store).TakeAsync(new Progress<TransferProgress>(), cancellationToken);
        Require(taken.Omissions.Count == 0, $"It lacks {string.Join(", ", taken.Omissions)}.");
    }

    public override async Task RequireDoneAsync(IObjectStore store)
    {
        var source = sourceOver(store);
        var report = await source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), CancellationToken.None);
        Require(report.Damage.Count == 0, $"It is damaged: {string.Join(", ", report.Damage)}.");
        Require((await source.ListAsync(CancellationToken.None)).Backups.Count > 0, "There is no backup.");
    }

    private static void Require(bool holds, string complaint)
    {
        if (!holds)
        {
            throw new SweepException(complaint);
        }
    }
}
