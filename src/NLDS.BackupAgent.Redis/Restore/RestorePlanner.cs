using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Lineage;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>Proves a restore before a byte of it is written: objects, sizes, an unbroken stream to the target, versions, an empty target with room for all of it.</summary>
internal sealed class RestorePlanner(BackupRepository repository, RedisCatalog catalog, TimeProvider clock)
{
    /// <summary>Room for what a server writes before anybody looks.</summary>
    private const double Margin = 1.05;

    public async Task<RedisRestorePlan> PlanAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        var target = RestoreTarget.Parse(request.To);
        var directory = request.HasTarget ? TargetDirectory.Require(request.TargetDirectory) : "the server's data directory";
        var named = Option(request, RestoreOptionNames.RedisServer);
        var wantsOneFile = Option(request, RestoreOptionNames.AppendOnly) switch
        {
            null or "any" => true,
            "yes" => false,
            var other => throw new UsageException($"--{RestoreOptionNames.AppendOnly} is '{other}'. Write yes or any."),
        };
        await repository.RequireAsync(cancellationToken);
        var archive = catalog.OpenLog();
        var bases = await catalog.ListBasesAsync(cancellationToken);
        var candidates = Eligible(bases, request.BackupId);
        var ((chosen, path, found), end) = await archive.ReadSteadilyAsync(
            async inventory => (await ChooseAsync(target, candidates, archive, inventory, cancellationToken), ArchiveEnd.Of(inventory, bases)), cancellationToken);
        await repository.RequireObjectAsync(chosen.Rdb, cancellationToken);
        if (path is not null)
        {
            await PathReading.ProveSwitchesAsync(archive, path, cancellationToken);
        }

        if (request.HasTarget)
        {
            new TargetDirectory(directory).RequireEmpty();
        }

        var server = await ServerProgram.FindAsync(named, cancellationToken);
        if (named is not null && server!.RdbVersion < chosen.Details.RdbVersion)
        {
            throw new NotRestorableException(
                $"'{named}' is Redis {server.Version}, which reads RDB files up to version {server.RdbVersion}; backup {chosen.Sealed.Id} of Redis {chosen.Details.RedisVersion} "
                + $"has version {chosen.Details.RdbVersion}. Use the version that it was taken from, or a newer one. Nothing was written.");
        }

        var plan = Describe(chosen, path, found, directory, server, wantsOneFile);
        if (request.HasTarget)
        {
            RequireSpace(plan);
        }

        return plan with
        {
            Succeeds = request.TakesPlace ? end : null,
            Warnings = [.. plan.Warnings, .. bases.Damaged.Where(d => d.Id > chosen.Sealed.Id).Select(d => $"The newer backup {d.Id} was passed over: {d.Reason}")],
        };
    }

    private async Task<(RedisBase Base, StreamPath? Path, FoundTarget Found)> ChooseAsync(
        RestoreTarget target, List<RedisBase> candidates, LogArchive archive, LogInventory inventory, CancellationToken cancellationToken)
    {
        var search = new TargetSearch(archive, inventory, clock);
        switch (target)
        {
            case RestoreTarget.AtTime(var time):
                var begun = Newest(candidates.Where(b => b.Details.At <= time)) ?? throw BeforeTheFirst(time, candidates);
                return Path(begun) is { } behind
                    ? (begun, behind, await search.FindTimeAsync(time, behind, begun.Details.At, cancellationToken))
                    : (begun, null, AtBase(begun, [$"Backup {begun.Sealed.Id} is the newest before {time.UtcDateTime:O}; what was written between is not stored."]));
            case RestoreTarget.AtOffset(var offset, var id):
                var started = candidates.FirstOrDefault(b => b.Details.Offset <= offset && (id is null || LeadsTo(inventory, b, id)))
                    ?? throw new NotRestorableException($"Offset {offset} lies before every backup that could be begun from.");
                var led = StreamPath.Find(inventory, started.Details.Position!.Value);
                return (started, led, TargetSearch.FindOffset(offset, led));
            case RestoreTarget.BeforeFlush:
                return await FindFlushAsync(candidates, archive, inventory, cancellationToken)
                    ?? throw new NotRestorableException("There is no FLUSHALL or FLUSHDB in what is stored.");
            default:
                var newest = Newest(candidates)!;
                return Path(newest) is { } rest ? (newest, rest, await search.FindEndAsync(rest, cancellationToken)) : (newest, null, AtBase(newest, []));
        }

        StreamPath? Path(RedisBase from) => from.Details.Position is { } position && StreamPath.Find(inventory, position) is var path && (path.Pieces.Count > 0 || path.Hole is not null)
            ? path
            : null;
    }

    /// <summary>
    /// Of the history of the first one the furthest on. Two copies that are asked for at once, by a backup and by the tail, may be named in either order; the stream goes on
    /// behind the later one.
    /// </summary>
    private static RedisBase? Newest(IEnumerable<RedisBase> candidates)
    {
        var first = candidates.FirstOrDefault();
        return first?.Details.Position is not { } position ? first
            : candidates.Where(b => b.Details.Position?.ReplicationId == position.ReplicationId).MaxBy(b => b.Details.Position!.Value.Offset);
    }

    /// <summary>Whether the stream behind a base comes through a history.</summary>
    private static bool LeadsTo(LogInventory inventory, RedisBase from, string replicationId) =>
        from.Details.Position is { } position
        && (position.ReplicationId == replicationId || StreamPath.Find(inventory, position).Pieces.Any(piece => piece.Piece.Lineage == replicationId));

    private static string? Option(RestoreRequest request, string name) =>
        request.Options.TryGetValue(name, out var values) && values.Count > 0 ? values[0] : null;

    private static FoundTarget AtBase(RedisBase from, IReadOnlyList<string> warnings) =>
        new(from.Details.Offset ?? 0, $"the moment of the backup, {from.Details.At.UtcDateTime:O}", from.Details.At, warnings);

    /// <summary>From the newest base back: the last flush of all is the one that is meant.</summary>
    private static async Task<(RedisBase Base, StreamPath? Path, FoundTarget Found)?> FindFlushAsync(
        List<RedisBase> candidates, LogArchive archive, LogInventory inventory, CancellationToken cancellationToken)
    {
        StreamPosition? searched = null;
        foreach (var from in candidates)
        {
            if (from.Details.Position is not { } position)
            {
                continue;
            }

            var path = StreamPath.Find(inventory, position);

            // What lies behind a newer base was searched with that one.
            var end = searched is { } next && next.ReplicationId == path.End.ReplicationId && next.Offset < path.End.Offset ? next.Offset : path.End.Offset;
            if (await FlushSearch.FindLastAsync(archive, path, end, cancellationToken) is { } cut)
            {
                return (from, path, new FoundTarget(cut, $"just before the last flush, at offset {cut}", null, []));
            }

            searched = position;
        }

        return null;
    }

    /// <summary>Newest first.</summary>
    private static List<RedisBase> Eligible(BackupListing<RedisBase> bases, string? wanted)
    {
        if (bases.Damaged.FirstOrDefault(d => d.Id.ToString() == wanted) is { } damaged)
        {
            throw new NotRestorableException($"Redis backup {wanted} cannot be restored: {damaged.Reason}");
        }

        List<RedisBase> candidates = [.. bases.Where(b => wanted is null or "latest" || b.Sealed.Id.ToString() == wanted).OrderByDescending(b => b.Sealed.Id)];
        return candidates.Count > 0
            ? candidates
            : throw new NotRestorableException(
                bases.Count == 0 || wanted is null
                    ? string.Join(" ", bases.Damaged.Select(d => d.Reason).Append("There is no Redis backup in the repository that can be restored. Run 'backup redis'."))
                    : $"There is no Redis backup '{wanted}'. Those there are: {string.Join(", ", bases.Select(b => b.Sealed.Id))}.");
    }

    private static NotRestorableException BeforeTheFirst(DateTimeOffset time, List<RedisBase> candidates) => new(
        candidates.Count == 1
            ? $"{time.UtcDateTime:O} lies before backup {candidates[0].Sealed.Id}, which is of {candidates[0].Details.At.UtcDateTime:O}."
            : $"{time.UtcDateTime:O} lies before the first moment that can be restored, {candidates[^1].Details.At.UtcDateTime:O}.");

    private static RedisRestorePlan Describe(RedisBase from, StreamPath? path, FoundTarget found, string directory, ServerProgram? server, bool wantsOneFile)
    {
        var streamBytes = path is null ? 0 : (long)(found.Cut - path.Start.Offset);
        var layout = Version.TryParse(from.Details.RedisVersion, out var version) && version.Major < 7 ? AofLayout.SingleFile : AofLayout.MultiPart;
        var folds = wantsOneFile && server is not null && server.RdbVersion == from.Details.RdbVersion;
        var warnings = new List<string>(found.Warnings);
        if (streamBytes > 0 && wantsOneFile && !folds)
        {
            warnings.Add(
                $"Only a server with 'appendonly yes' will see the data: {(server is null ? "there is no redis-server on this machine" : $"the redis-server of this machine is {server.Version}")}"
                + $" that could write an RDB file for Redis {from.Details.RedisVersion}. One with 'appendonly no' will refuse to start rather than start empty.");
        }

        if (from.Details.Method == Backup.BaseMethod.Scan)
        {
            warnings.Add($"Backup {from.Sealed.Id} was taken key by key from {from.Details.At.UtcDateTime:O} on: it is no single moment.");
        }

        return new RedisRestorePlan
        {
            Source = RedisCatalog.Source,
            BackupId = from.Sealed.Id.ToString(),
            Base = from,
            Target = found.Words,
            RecoversTo = found.RecoversTo,
            StoredBytes = from.Sealed.StoredBytes + (path?.StoredBytes ?? 0),
            ContentBytes = from.Sealed.ContentBytes + streamBytes,
            Estimate = RestoreRates.Estimate(from.Sealed.ContentBytes, streamBytes),
            TargetDirectory = directory,
            Stream = streamBytes > 0 ? path : null,
            Cut = found.Cut,
            Layout = layout,
            Server = folds ? server : null,
            Warnings = warnings,
            Steps =
            [
                $"Write the copy of backup {from.Sealed.Id} (Redis {from.Details.RedisVersion ?? "unknown"}, {from.Sealed.ContentBytes} bytes, {from.Details.Keys?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "unknown"} keys) into {directory}",
                .. streamBytes > 0 ? [$"Write {streamBytes} bytes of commands behind it, up to {found.Words}"] : Array.Empty<string>(),
                .. streamBytes > 0 && folds ? [$"Let {server!.Path} {server.Version} load both and write them as one file"] : Array.Empty<string>(),
                $"Then start Redis with: redis-server --dir {directory}, {(wantsOneFile && (folds || streamBytes == 0) ? "with 'appendonly' as your configuration has it" : "with 'appendonly yes'")}",
            ],
        };
    }

    private static void RequireSpace(RedisRestorePlan plan)
    {
        var existing = plan.TargetDirectory;
        while (!Directory.Exists(existing))
        {
            existing = System.IO.Path.GetDirectoryName(existing) ?? "/";
        }

        var folded = plan.Stream is not null && plan.Server is not null ? plan.Base.Sealed.ContentBytes : 0;
        var (free, needed) = (new DriveInfo(existing).AvailableFreeSpace, (long)((plan.ContentBytes + folded) * Margin));
        if (free < needed)
        {
            throw new SourceException(
                $"'{plan.TargetDirectory}' has {free / 1_000_000} MB free, the restore needs {needed / 1_000_000} MB there. Nothing was written. Make room or choose another directory.",
                isPermanent: true);
        }
    }
}
