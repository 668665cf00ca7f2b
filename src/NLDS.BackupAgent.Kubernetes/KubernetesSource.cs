using NLDS.BackupAgent.Kubernetes.Api;
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
    BackupRepository repository, BackupTaker taker, RestorePlanner planner, Restorer restorer, KubernetesVerifier verifier, KubernetesChecks checks, KubernetesOptions options,
    TimeProvider clock)
    : ISnapshotSource, IRetainedSource, IReachableSource
{
    public string Name => KubernetesCatalog.Source;

    public SnapshotLayout Layout => KubernetesCatalog.Layout;

    public RetentionRules Retention => options.Retention;

    /// <summary>The strategy document's: thirty days.</summary>
    public RetentionPolicy DefaultRetention { get; } = new() { KeepWithin = TimeSpan.FromDays(30) };

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    /// <summary>Who may ask for a backup may ask for this: every account that is let in may (system:discovery).</summary>
    public async Task ReachAsync(CancellationToken cancellationToken)
    {
        using var api = new KubernetesApi(ClusterConnections.Find(options, clock), clock);
        try
        {
            using var version = await api.GetAsync("version", cancellationToken);
        }
        catch (ApiException refused)
        {
            throw new SourceException($"The Kubernetes API at {api.Connection.Server} refused: {refused.Message} ({refused.Code}).", refused.IsForbidden, refused);
        }
    }

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
