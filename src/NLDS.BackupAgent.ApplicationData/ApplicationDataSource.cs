using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Backup;
using NLDS.BackupAgent.ApplicationData.Checks;
using NLDS.BackupAgent.ApplicationData.Restore;
using NLDS.BackupAgent.ApplicationData.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData;

/// <summary>Application data as the floors above see it.</summary>
internal sealed class ApplicationDataSource(
    ApplicationDataOptions options, BackupRepository repository, BackupTaker taker, RestorePlanner planner, SetRestorer restorer, ApplicationDataVerifier verifier, ApplicationDataChecks checks)
    : ISnapshotSource, IRetainedSource, IReachableSource
{
    /// <summary>
    /// The strategy document's, and every backup of the last two days: with 96 a day and only the last of each day kept, each night's prune would remove nearly all that
    /// there are, which retention takes for a mistake. There is no log, so there are no moments between backups.
    /// </summary>
    public static RetentionPolicy Default { get; } = RetentionPolicy.Standard with { RecoveryWindow = TimeSpan.Zero, KeepWithin = TimeSpan.FromDays(2) };

    public string Name => ArchiveDetails.Source;

    public SnapshotLayout Layout => ArchiveDetails.Layout;

    public RetentionRules Retention => options.Retention;

    public RetentionPolicy DefaultRetention => Default;

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    public Task ReachAsync(CancellationToken cancellationToken) => checks.ReachAsync(cancellationToken);

    public Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken) => taker.TakeAsync(progress, cancellationToken);

    public async Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken) => await planner.PlanAsync(request, cancellationToken);

    public async Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var proved = (ApplicationDataRestorePlan)plan;
        var results = await restorer.RunAsync(proved.Backup, proved.Manifest, proved.Sets, proved.KeepsLifetimes, applies: true, progress, cancellationToken);
        return new RestoreOutcome
        {
            Notes = [.. results.Where(result => result.Failures.Count == 0).Select(result => $"{result.Set.Name} into {result.Where}: {result.Counts}")],
            NotRestored = [.. results.SelectMany(result => result.Failures)],
        };
    }

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        verifier.VerifyAsync(scope, progress, cancellationToken);

    public async Task<SourceListing> ListAsync(CancellationToken cancellationToken)
    {
        var backups = await repository.ListBackupsAsync(Layout, cancellationToken);
        return new SourceListing(Name, backups, null) { Damaged = backups.Damaged };
    }

    public Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken) => Task.FromResult<LogNeeds?>(null);
}
