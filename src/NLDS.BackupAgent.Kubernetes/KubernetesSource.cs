using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Checks;
using NLDS.BackupAgent.Kubernetes.Restore;
using NLDS.BackupAgent.Kubernetes.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes;

/// <summary>A namespace's objects as the floors above see them.</summary>
internal sealed class KubernetesSource(
    BackupRepository repository, BackupTaker taker, RestorePlanner planner, Restorer restorer, KubernetesVerifier verifier, KubernetesChecks checks, KubernetesOptions options)
    : ISnapshotSource, IRetainedSource
{
    public string Name => KubernetesCatalog.Source;

    public SnapshotLayout Layout => KubernetesCatalog.Layout;

    public RetentionRules Retention => options.Retention;

    /// <summary>The strategy document's: thirty days.</summary>
    public RetentionPolicy DefaultRetention { get; } = new() { KeepWithin = TimeSpan.FromDays(30) };

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    public Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken) => taker.TakeAsync(progress, cancellationToken);

    public async Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken) => await planner.PlanAsync(request, cancellationToken);

    public Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        restorer.RestoreAsync((KubernetesRestorePlan)plan, progress, cancellationToken);

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        verifier.VerifyAsync(scope, progress, cancellationToken);

    public async Task<SourceListing> ListAsync(CancellationToken cancellationToken)
    {
        var backups = await KubernetesCatalog.ListAsync(repository, cancellationToken);
        return new SourceListing(Name, [.. backups.Select(b => b.Sealed)], null) { Damaged = backups.Damaged };
    }

    public Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken) => Task.FromResult<LogNeeds?>(null);
}
