using NLDS.BackupAgent.Redis.Backup;
using NLDS.BackupAgent.Redis.Checks;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Restore;
using NLDS.BackupAgent.Redis.Retention;
using NLDS.BackupAgent.Redis.Tail;
using NLDS.BackupAgent.Redis.Verification;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis;

/// <summary>Redis as the floors above see it.</summary>
internal sealed class RedisSource(
    RedisCatalog catalog, RedisTail tail, BaseTaker taker, RestorePlanner planner, Restorer restorer, RedisVerifier verifier, RedisChecks checks, RedisOptions options)
    : IDirectorySource, IContinuousSource, IRetainedSource
{
    public string Name => RedisCatalog.Source;

    public SnapshotLayout Layout => RedisCatalog.Layout;

    public RetentionRules Retention => options.Retention;

    /// <summary>The strategy document's: seven days.</summary>
    public RetentionPolicy DefaultRetention { get; } = new() { KeepWithin = TimeSpan.FromDays(7), RecoveryWindow = TimeSpan.FromDays(7) };

    public ContinuousStatus Status => tail.State.Read();

    public IAsyncEnumerable<CheckFinding> CheckAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    public Task TailAsync(CancellationToken stopping) => tail.RunAsync(stopping);

    public async Task<SealedBackup> TakeAsync(IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var taken = await taker.TakeAsync(progress, cancellationToken);
        if (taken.Details.Position is not null)
        {
            tail.State.RestoresFrom(taken);
        }

        return taken.Sealed;
    }

    public async Task<RestorePlan> PlanRestoreAsync(RestoreRequest request, CancellationToken cancellationToken) =>
        await planner.PlanAsync(request, cancellationToken);

    public async Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await restorer.RestoreAsync((RedisRestorePlan)plan, progress, cancellationToken);
        return RestoreOutcome.Whole;
    }

    public DirectoryContent Look(string directory) => new TargetDirectory(directory).Look();

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        verifier.VerifyAsync(scope, progress, cancellationToken);

    public async Task<SourceListing> ListAsync(CancellationToken cancellationToken)
    {
        var bases = await catalog.ListBasesAsync(cancellationToken);
        var archive = catalog.OpenLog();
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        return new SourceListing(Name, [.. bases.Select(b => b.Sealed)], await DescribeLogAsync(archive, inventory, bases, cancellationToken))
        {
            Damaged = bases.Damaged,
        };
    }

    public async Task<LogNeeds?> FindLogNeedsAsync(IReadOnlyList<SealedBackup> kept, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var archive = catalog.OpenLog();
        var inventory = await archive.ReadInventoryAsync(cancellationToken);
        return inventory.Pieces.Count == 0 ? null : StreamNeeds.Find(archive, inventory, [.. kept.Select(RedisCatalog.Read)], since);
    }

    private static async Task<LogListing?> DescribeLogAsync(
        LogArchive archive, LogInventory inventory, BackupListing<RedisBase> bases, CancellationToken cancellationToken)
    {
        if (bases.LastOrDefault(b => b.Details.Position is not null)?.Details is not { Position: { } position } newest)
        {
            return null;
        }

        var path = StreamPath.Find(inventory, position);
        var seal = path.Pieces.Count == 0 || !archive.CanRead(path.Pieces[^1].Piece) ? null : await archive.ReadSealAsync(path.Pieces[^1].Piece, cancellationToken);
        var proven = inventory.Confirmation is { } confirmed && confirmed.Lineage == path.End.ReplicationId && !(seal?.AsOf > confirmed.AsOf) ? confirmed.AsOf : seal?.AsOf;
        return new LogListing(
            bases.Where(b => b.Details.Position is { } at && !inventory.Pruned.ReachesBehind(at.ReplicationId, at.Offset)).Select(b => (DateTimeOffset?)b.Details.At).Min(),
            proven > newest.At ? proven : newest.At,
            path.End.ToString(),
            [.. inventory.Gaps.OrderBy(g => g.RecordedAt).Select(g => new LogGapListing(
                new StreamPosition(g.Lineage, g.Start).ToString(), new StreamPosition(g.Lineage, g.End).ToString(), g.Reason, g.RecordedAt))]);
    }
}
