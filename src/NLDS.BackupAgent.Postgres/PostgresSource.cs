using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Checks;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Retention;
using NLDS.BackupAgent.Postgres.Tail;
using NLDS.BackupAgent.Postgres.Verification;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres;

/// <summary>PostgreSQL as the floors above see it.</summary>
internal sealed class PostgresSource(
    PostgresCatalog catalog, WalTail tail, BaseBackupTaker taker, RestorePlanner planner, Restorer restorer, PostgresVerifier verifier, PostgresChecks checks,
    PostgresOptions options, SlotWatch room)
    : IDirectorySource, IContinuousSource, IRetainedSource
{
    public string Name => PostgresCatalog.Source;

    public SnapshotLayout Layout => PostgresCatalog.Layout;

    public RetentionRules Retention => options.Retention;

    public RetentionPolicy DefaultRetention => RetentionPolicy.Standard;

    public ContinuousStatus Status => tail.State.Read() with { LogRoomBytes = room.Known.Bytes, LogRoomLimitBytes = room.Known.LimitBytes };

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    public async Task TailAsync(CancellationToken stopping)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var watching = room.RunAsync(ended.Token);
        try
        {
            await tail.RunAsync(stopping);
        }
        finally
        {
            await ended.CancelAsync();
            await watching;
        }
    }

    public async Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var backup = await taker.TakeAsync(progress, cancellationToken);
        tail.State.RestoresFrom(PostgresCatalog.Read(backup));
        tail.State.NeedSnapshot(null);
        return backup;
    }

    public async Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken) =>
        await planner.PlanAsync(request, cancellationToken);

    public Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        restorer.RestoreAsync((PostgresRestorePlan)plan, progress, cancellationToken);

    public DirectoryContent Look(string directory) => TargetDirectory.Look(directory);

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        verifier.VerifyAsync(scope, progress, cancellationToken);

    public async Task<SourceListing> ListAsync(CancellationToken cancellationToken)
    {
        if (await catalog.ReadIdentityAsync(cancellationToken) is not { } identity)
        {
            return new SourceListing(Name, [], null);
        }

        var archive = catalog.OpenLog(new WalSegmentSize(identity.WalSegmentBytes));
        var backups = await catalog.ListBackupsAsync(cancellationToken);
        var inventory = await archive.ReadEndAsync(cancellationToken);
        return new SourceListing(Name, [.. backups.Select(b => b.Sealed)], await DescribeLogAsync(archive, inventory, backups, cancellationToken))
        {
            Damaged = backups.Damaged,
        };
    }

    public async Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken)
    {
        if (await catalog.ReadIdentityAsync(cancellationToken) is not { } identity)
        {
            return null;
        }

        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var archive = catalog.OpenLog(size);
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        if (inventory.Pieces.Count == 0)
        {
            return null;
        }

        try
        {
            var history = await RestorePlanner.ChooseHistoryAsync(archive, inventory, cancellationToken);
            return WalNeeds.Find(archive, inventory, history, [.. kept.Select(PostgresCatalog.Read)], since, size);
        }
        catch (NotRestorableException damage)
        {
            return WalNeeds.Everything(archive, inventory, $"No WAL is removed. {damage.Message}");
        }
    }

    private static async Task<LogListing?> DescribeLogAsync(
        LogArchive archive, LogInventory inventory, BackupListing<BaseBackup> backups, CancellationToken cancellationToken)
    {
        if (inventory.Pieces.Count == 0)
        {
            return null;
        }

        var lineage = WalNaming.Lineage(WalPath.NewestTimeline(inventory));
        var last = inventory.Pieces.Where(p => p.Lineage == lineage).MaxBy(p => p.Range.End);
        var seal = last is null || !archive.CanRead(last) ? null : await archive.ReadSealAsync(last, cancellationToken);
        var proven = inventory.Confirmation is { } confirmed && confirmed.Lineage == lineage && !(seal?.AsOf > confirmed.AsOf) ? confirmed.AsOf : seal?.AsOf;

        // A backup behind which retention has removed WAL can be restored itself; the moments after it cannot.
        List<BaseBackup> continued = [.. backups.Where(b => !inventory.Pruned.ReachesBehind(WalNaming.Lineage(b.Details.EndTimeline), b.Start.Value))];
        return new LogListing(
            continued.Count > 0 ? continued.Min(b => b.Sealed.Manifest.Ended) : null,
            backups.Count > 0 ? proven : null,
            new Lsn(last?.Range.End ?? 0).ToString(),
            [.. inventory.Gaps.OrderBy(g => g.Start).Select(g => new LogGapListing(new Lsn(g.Start).ToString(), new Lsn(g.End).ToString(), g.Reason, g.RecordedAt))]);
    }
}
