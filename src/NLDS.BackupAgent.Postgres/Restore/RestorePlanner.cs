using System.Text;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>Proves a restore before a byte of it is written: objects, sizes, an unbroken log to the target, an empty target with room for all of it.</summary>
internal sealed class RestorePlanner(BackupRepository repository, PostgresCatalog catalog, TargetSpace space, TimeProvider clock)
{
    /// <summary>
    /// A time this shortly behind the archive's last proven moment is restored with a warning: an idle server's last confirmation is that old, and the moment
    /// just before a crash is what people ask for. Anything later is refused, because commits may be missing that nobody can name.
    /// </summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);

    public async Task<PostgresRestorePlan> PlanAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        var target = RestoreTarget.Parse(request.To);
        var directory = request.HasTarget ? TargetDirectory.Require(request.TargetDirectory) : "the server's data directory";
        var moves = TablespaceMoves.Parse(request.Options.GetValueOrDefault(RestoreOptionNames.Tablespace, []));
        var identity = await catalog.RequireIdentityAsync(cancellationToken);
        var archive = catalog.OpenLog(new WalSegmentSize(identity.WalSegmentBytes));
        return await archive.ReadSteadilyAsync(
            inventory => PlanAsync(request, target, directory, moves, identity, archive, inventory, cancellationToken), cancellationToken);
    }

    private async Task<PostgresRestorePlan> PlanAsync(
        RestoreRequest request,
        RestoreTarget target,
        string directory,
        TablespaceMoves moves,
        ClusterIdentity identity,
        LogArchive archive,
        LogInventory inventory,
        CancellationToken cancellationToken)
    {
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var backups = await catalog.ListBackupsAsync(cancellationToken);
        var history = await ChooseHistoryAsync(archive, inventory, cancellationToken);
        var search = new TargetSearch(archive, inventory, size, Grace, clock);
        string? inconsistent = null;
        List<string> passedOver = [];

        foreach (var backup in Eligible(backups, history, request.BackupId))
        {
            RequireSameCluster(backup, identity);
            var path = WalPath.Find(inventory, history, backup.Start, size);
            if (path.End < backup.End)
            {
                // An older backup may still reach a target before the hole.
                inconsistent ??= $"Base backup {backup.Sealed.Id} needs WAL from {backup.Start} to {backup.End}. {path.Hole ?? "It is missing from the repository"}.";
                continue;
            }

            if (await search.FindAsync(target, backup, path, cancellationToken) is { } found)
            {
                if (await WhyIncompleteAsync(backup.Parent, cancellationToken) is { } why)
                {
                    passedOver.Add($"base backup {backup.Sealed.Id} was passed over: it holds only what changed since {backup.Parent!.Sealed.Id}. {why}");
                    continue;
                }

                // Recovery that stops on an ancestor must end on that ancestor, or the server would write a history that contradicts itself.
                var timeline = history.TimelineOwning(found.Stop.Record);
                var files = WalPath.WithParents(WalPath.AsOfTimeline(path.FilesBefore(found.NeededTo), timeline, size), history, size);
                await ProveAsync(archive, backup, files, cancellationToken);
                var tablespaces = moves.Apply(backup.Details.Tablespaces, directory);
                if (request.HasTarget)
                {
                    TargetDirectory.RequireEmpty(directory, tablespaces.Values);
                    space.Require(TargetSpace.Needs(backup, directory, tablespaces, (long)files.Count * size.Bytes));
                }

                var plan = Describe(backup, directory, files, inventory, timeline, found, tablespaces, size);
                return plan with
                {
                    Succeeds = request.TakesPlace ? ArchiveEnd.Of(inventory) : null,
                    Warnings =
                    [
                        .. plan.Warnings,
                        .. passedOver.Select(p => $"The newer {p}"),
                        .. backups.Damaged.Where(d => d.Id > backup.Sealed.Id).Select(d => $"The newer base backup {d.Id} was passed over: {d.Reason}"),
                    ],
                };
            }
        }

        throw passedOver.Count > 0 ? new NotRestorableException(string.Join(" ", passedOver.Select(p => $"The {p}").Append(inconsistent)).TrimEnd())
            : inconsistent is null ? BeforeTheFirst(request, backups)
            : new NotRestorableException(inconsistent);
    }

    /// <summary>
    /// The line of history that the agent followed last. It never goes back to an older timeline, so that is the newest one; the confirmation may still be
    /// of the one before, when the agent ended soon after a promotion.
    /// </summary>
    internal static async Task<TimelineHistory> ChooseHistoryAsync(LogArchive archive, LogInventory inventory, CancellationToken cancellationToken)
    {
        if (inventory.Pieces.Count == 0)
        {
            throw new NotRestorableException("The repository holds no WAL, so no base backup in it can be made consistent.");
        }

        foreach (var missing in WalPath.MissingHistories(inventory))
        {
            throw new NotRestorableException(
                $"The history file '{missing}' is missing from the repository: nobody knows where its timeline began, and a restored server would use its number again.");
        }

        var timeline = WalPath.NewestTimeline(inventory);
        var name = TimelineHistory.FileName(timeline);
        if (timeline == 1)
        {
            return TimelineHistory.WithoutAncestors(1);
        }

        try
        {
            return TimelineHistory.Parse(timeline, Encoding.UTF8.GetString(await archive.ReadFileAsync(name, cancellationToken)));
        }
        catch (FormatException damage)
        {
            throw new NotRestorableException(damage.Message, damage);
        }
    }

    /// <summary>Backups whose end lies on this history, newest first.</summary>
    private static List<BaseBackup> Eligible(BackupListing<BaseBackup> backups, TimelineHistory history, string? wanted)
    {
        if (backups.Damaged.FirstOrDefault(d => d.Id.ToString() == wanted) is { } damaged)
        {
            throw new NotRestorableException($"Base backup {wanted} cannot be restored: {damaged.Reason}");
        }

        List<BaseBackup> candidates = [.. backups.Where(b => wanted is null or "latest" || b.Sealed.Id.ToString() == wanted)];
        if (candidates.Count == 0)
        {
            throw new NotRestorableException(
                backups.Count == 0 || wanted is null
                    ? string.Join(" ", backups.Damaged.Select(d => d.Reason).Append("There is no base backup in the repository that can be restored. Run 'backup postgres'."))
                    : $"There is no base backup '{wanted}'. Those there are: {string.Join(", ", backups.Select(b => b.Sealed.Id))}.");
        }

        List<BaseBackup> onHistory = [.. candidates.Where(b => history.TimelineOwning(b.End - 1) == b.Details.EndTimeline).OrderByDescending(b => b.End.Value)];
        return onHistory.Count > 0
            ? onHistory
            : throw new NotRestorableException($"No base backup lies on the history of timeline {history.Timeline}. Run 'backup postgres'.");
    }

    private static void RequireSameCluster(BaseBackup backup, ClusterIdentity identity)
    {
        if (backup.Details.SystemIdentifier != identity.SystemIdentifier)
        {
            throw new NotRestorableException(
                $"Base backup {backup.Sealed.Id} comes from the cluster {backup.Details.SystemIdentifier}, the repository belongs to {identity.SystemIdentifier}.");
        }
    }

    /// <summary>What of the backups that one builds upon is not there any more; then an older backup may do.</summary>
    private async Task<string?> WhyIncompleteAsync(BaseBackup? parent, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var content in parent?.Chain.SelectMany(b => b.Sealed.Manifest.Objects) ?? [])
            {
                await repository.RequireObjectAsync(content, cancellationToken);
            }

            return null;
        }
        catch (NotRestorableException incomplete)
        {
            return incomplete.Message;
        }
    }

    /// <summary>Every object is there in its full length, and every piece of log says of itself what its name says.</summary>
    private async Task ProveAsync(LogArchive archive, BaseBackup backup, IReadOnlyList<WalFile> files, CancellationToken cancellationToken)
    {
        foreach (var content in backup.Sealed.Manifest.Objects)
        {
            await repository.RequireObjectAsync(content, cancellationToken);
        }

        await Parallel.ForEachAsync(
            files.SelectMany(f => f.Pieces).Distinct(),
            new ParallelOptions { MaxDegreeOfParallelism = TargetSearch.ParallelReads, CancellationToken = cancellationToken },
            async (piece, token) => await archive.ReadSealAsync(piece, token));
    }

    private static PostgresRestorePlan Describe(
        BaseBackup backup,
        string directory,
        IReadOnlyList<WalFile> files,
        LogInventory inventory,
        uint timeline,
        FoundTarget found,
        IReadOnlyDictionary<string, string> tablespaces,
        WalSegmentSize size)
    {
        var walStored = files.SelectMany(f => f.Pieces).Distinct().Sum(p => p.StoredBytes);
        var walBytes = (long)files.Count * size.Bytes;
        var estimate = RestoreRates.Estimate(backup.BytesToUnpack, walBytes);
        return new PostgresRestorePlan
        {
            Source = PostgresCatalog.Source,
            BackupId = backup.Sealed.Id.ToString(),
            Backup = backup,
            Target = $"{found.Words} on timeline {timeline}",
            RecoversTo = found.RecoversTo,
            StoredBytes = backup.Chain.Sum(b => b.Sealed.StoredBytes) + walStored,
            ContentBytes = backup.BytesToUnpack + walBytes,
            Estimate = estimate,
            TargetDirectory = directory,
            WalFiles = files,
            HistoryFiles = [.. inventory.Files.Keys.Where(name => TimelineHistory.TryParseFileName(name, out _)).Order(StringComparer.Ordinal)],
            Timeline = timeline,
            Stop = found.Stop,
            Succeeds = null,
            TablespaceDirectories = tablespaces,
            Warnings = found.Warnings,
            Steps =
            [
                $"Unpack base backup {backup.Chain[0].Sealed.Id} (PostgreSQL {backup.Details.ServerVersion}, {backup.Chain[0].Sealed.ContentBytes} bytes) into {directory}",
                .. backup.Chain.Skip(1).Select(b => $"Apply incremental backup {b.Sealed.Id} ({b.Sealed.ContentBytes} bytes) to it"),
                .. tablespaces.Select(t => $"Unpack tablespace {t.Key} into {t.Value}"),
                $"Write {files.Count} WAL segments, {files[0].Segment} to {files[^1].Segment}, into pg_wal",
                $"Write settings that replay up to {found.Words} and promote; archiving and replication to the original's partners are off",
                $"Then start PostgreSQL {backup.Details.ServerVersion.Split('.')[0]} with: postgres -D {directory}",
            ],
        };
    }

    private static NotRestorableException BeforeTheFirst(RestoreRequest request, IReadOnlyList<BaseBackup> backups)
    {
        var first = backups.MinBy(b => b.End.Value)!;
        return new NotRestorableException(
            request.BackupId is null
                ? $"'{request.To}' lies before the first moment that can be restored: base backup {first.Sealed.Id} is consistent from {first.End} on, since about {first.Sealed.Manifest.Ended.UtcDateTime:O}."
                : $"'{request.To}' lies before the moment from which base backup {request.BackupId} is consistent. Leave --backup out, or choose an older one.");
    }
}
