using NLDS.BackupAgent.Redis.Backup;
using NLDS.BackupAgent.Redis.Checks;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rehearsal;
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
    RedisCatalog catalog, RedisTail tail, BaseTaker taker, RestorePlanner planner, Restorer restorer, RedisVerifier verifier, RedisChecks checks, RedisOptions options,
    TimeProvider clock)
    : IRehearsedSource, IContinuousSource, IRetainedSource, IMarkedSource, IReachableSource
{
    private const string MarkerChannel = "nlds:mark";

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

    public Task<RestoreOutcome> RestoreAsync(RestorePlan plan, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        restorer.RestoreAsync((RedisRestorePlan)plan, progress, cancellationToken);

    public async Task<string> RequireProgramsAsync(RestorePlan plan, CancellationToken cancellationToken) =>
        await FindProgramAsync((RedisRestorePlan)plan, cancellationToken) switch { var program => $"Redis {program.Version} ({program.Path})" };

    public async Task<IRehearsal> RehearseAsync(RestorePlan plan, string privateDirectory, CancellationToken cancellationToken)
    {
        var restored = (RedisRestorePlan)plan;
        return await RedisRehearsal.StartAsync(restored, await FindProgramAsync(restored, cancellationToken), privateDirectory, clock, cancellationToken);
    }

    public ServerPlace Place => new(options.Host, options.Port);

    public IRehearsedSource At(ServerPlace place) => new RedisSource(catalog, tail, taker, planner, restorer, verifier, checks, options.At(place), clock);

    public async Task<IRehearsal> VisitAsync(RestorePlan plan, CancellationToken cancellationToken) =>
        await RedisVisit.BeginAsync((RedisRestorePlan)plan, options, clock, cancellationToken);

    /// <summary>For <c>Redis:Mode</c> <c>Snapshot</c>; with the stream, that tells.</summary>
    public async Task ReachAsync(CancellationToken cancellationToken)
    {
        try
        {
            var (connection, _) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
            await connection.DisposeAsync();
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    public async Task<string> AskServerAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            var (connection, _) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
            await using (connection)
            {
                return (await connection.AskAsync(cancellationToken, question.Split(' ', StringSplitOptions.RemoveEmptyEntries))).Text;
            }
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    public async Task<ServerState> LookAtServerAsync(CancellationToken cancellationToken)
    {
        try
        {
            var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
            await using (connection)
            {
                if (info["loading"] == "1")
                {
                    return new ServerState(
                        IsReady: false,
                        $"Redis has loaded {info["loading_loaded_perc"]} % of its data.",
                        info.Number("loading_total_bytes") is > 0 and var all && info.Number("loading_loaded_bytes") is { } loaded ? Math.Max(0, all - loaded) : null);
                }

                await connection.AskAsync(cancellationToken, "PING");
                return new ServerState(IsReady: true, "Redis has loaded its data and takes commands.", 0);
            }
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            return RedisFailure.Explain(failure, options) is { IsPermanent: false } passing ? new ServerState(IsReady: false, passing.Message) : throw RedisFailure.Explain(failure, options);
        }
    }

    /// <summary>What Redis loads it has checked by then; how much it is shows whether all of it came.</summary>
    public async Task<IReadOnlyList<RehearsalProof>> ProveServerAsync(TimeSpan budget, CancellationToken cancellationToken)
    {
        try
        {
            var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
            await connection.DisposeAsync();
            return ReferenceEquals(info, ServerInfo.Unknown)
                ? [new RehearsalProof("keys", ProofVerdict.NotLooked, $"The user may not use INFO. Run ACL SETUSER {options.Username ?? "default"} +info.")]
                : [new RehearsalProof("keys", ProofVerdict.Proven, $"It has {info.Databases.Values.Sum()} keys in {info.Databases.Count} databases.")];
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    /// <summary>
    /// The offset at which the stream stands is a place that a restore finds. A message that nobody listens to is sent behind it, because a quiet server's stream
    /// is stored only when something other than PING comes.
    /// </summary>
    public async Task<SourceMark> MarkAsync(string name, CancellationToken cancellationToken)
    {
        if (options.Mode != RedisMode.Stream)
        {
            throw new SourceException("Redis:Mode is Snapshot: without the stream there is no moment to mark between two snapshots.", isPermanent: true);
        }

        try
        {
            var (connection, info) = await PrimaryConnection.OpenAsync(options, clock, cancellationToken);
            await using (connection)
            {
                var now = await ServerInfo.ReadAsync(connection, cancellationToken);
                if (now["master_replid"] is { } id && Replication.IsId(id) && now.Number("master_repl_offset") is { } offset)
                {
                    var hasSent = await TrySendMarkerAsync(connection, name, cancellationToken);
                    return new SourceMark(
                        RestoreTarget.AtPlace(id, (ulong)offset),
                        $"offset {offset} of the stream" + (hasSent ? "" : $", durable with the next write (ACL SETUSER {options.Username ?? "default"} +publish &{MarkerChannel} makes it so at once)"));
                }

                throw new SourceException($"Redis at {connection.Address} does not tell where its stream is. Run ACL SETUSER {options.Username ?? "default"} +info.", isPermanent: true);
            }
        }
        catch (Exception failure) when (RedisFailure.IsExpected(failure))
        {
            throw RedisFailure.Explain(failure, options);
        }
    }

    private static async Task<bool> TrySendMarkerAsync(RedisConnection connection, string name, CancellationToken cancellationToken)
    {
        try
        {
            await connection.AskAsync(cancellationToken, "PUBLISH", MarkerChannel, name);
            return true;
        }
        catch (RedisErrorException)
        {
            return false;
        }
    }

    public async Task<bool> IsDurableAsync(SourceMark mark, CancellationToken cancellationToken)
    {
        var target = (RestoreTarget.AtOffset)RestoreTarget.Parse(mark.To);
        var end = await catalog.OpenLog().ReadEndAsync(cancellationToken);
        return (end.Confirmation is { } confirmed && confirmed.Lineage == target.ReplicationId && confirmed.Position >= target.Offset)
            || end.Pieces.Any(piece => piece.Lineage == target.ReplicationId && piece.Range.End >= target.Offset)
            || (await catalog.ListBasesAsync(cancellationToken)).Any(b => b.Details.Position is { } at && at.ReplicationId == target.ReplicationId && at.Offset == target.Offset);
    }

    private static async Task<ServerProgram> FindProgramAsync(RedisRestorePlan plan, CancellationToken cancellationToken) =>
        await ServerProgram.FindAsync(null, cancellationToken) is { } found && found.RdbVersion >= plan.Base.Details.RdbVersion
            ? found
            : throw new SourceException(
                $"There is no redis-server on this machine's path that reads the RDB files of Redis {plan.Base.Details.RedisVersion}. Install it (redis-server), of that version or a newer one.",
                isPermanent: true);

    public DirectoryContent Look(string directory) => new TargetDirectory(directory).Look();

    public Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken) =>
        verifier.VerifyAsync(scope, progress, cancellationToken);

    public async Task<SourceListing> ListAsync(CancellationToken cancellationToken)
    {
        var bases = await catalog.ListBasesAsync(cancellationToken);
        var archive = catalog.OpenLog();
        var log = await archive.ReadSteadilyAsync(inventory => DescribeLogAsync(archive, inventory, bases, cancellationToken), cancellationToken);
        return new SourceListing(Name, [.. bases.Select(b => b.Sealed)], log)
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
        var proven = await ProvenAsync(archive, inventory, path, cancellationToken);
        var log = new LogListing(
            bases.Where(b => b.Details.Position is { } at && !inventory.Pruned.ReachesBehind(at.ReplicationId, at.Offset)).Select(b => (DateTimeOffset?)b.Details.At).Min(),
            proven > newest.At ? proven : newest.At,
            path.End.ToString(),
            [.. inventory.Gaps.OrderBy(g => g.RecordedAt).Select(g => new LogGapListing(
                new StreamPosition(g.Lineage, g.Start).ToString(), new StreamPosition(g.Lineage, g.End).ToString(), g.Reason, g.RecordedAt))]);
        return log.Gaps.Count == 0 ? log : log.Within(await FindSpansAsync(archive, inventory, bases, cancellationToken));
    }

    /// <summary>Of each base the moments from its own as far as the stream goes on: a history ends where a gap is recorded, and the next one begins with a base.</summary>
    private static async Task<IReadOnlyList<MomentSpan>> FindSpansAsync(LogArchive archive, LogInventory inventory, BackupListing<RedisBase> bases, CancellationToken cancellationToken)
    {
        var ends = new Dictionary<StreamPosition, DateTimeOffset?>();
        var reaches = new List<(DateTimeOffset From, StreamPosition End, DateTimeOffset To)>();
        foreach (var each in bases)
        {
            if (each.Details.Position is not { } position || inventory.Pruned.ReachesBehind(position.ReplicationId, position.Offset))
            {
                continue;
            }

            var path = StreamPath.Find(inventory, position);
            if (!ends.TryGetValue(path.End, out var end))
            {
                ends[path.End] = end = await ProvenAsync(archive, inventory, path, cancellationToken);
            }

            reaches.Add((each.Details.At, path.End, end ?? each.Details.At));
        }

        return MomentSpan.Of(reaches);
    }

    /// <summary>Nothing that had arrived by then is missing at the end of a path.</summary>
    private static async Task<DateTimeOffset?> ProvenAsync(LogArchive archive, LogInventory inventory, StreamPath path, CancellationToken cancellationToken)
    {
        var last = path.Pieces.Count == 0 || !archive.CanRead(path.Pieces[^1].Piece) ? null : await archive.ReadSealAsync(path.Pieces[^1].Piece, cancellationToken);
        return TargetSearch.ProvenUntil(inventory, path, last);
    }
}
