using System.Globalization;
using Npgsql;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Checks;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Rehearsal;
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
    PostgresSql sql, PostgresOptions options, SlotWatch room, TimeProvider clock)
    : IRehearsedSource, IContinuousSource, IRetainedSource, IMarkedSource
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

    public async Task<string> RequireProgramsAsync(RestorePlan plan, CancellationToken cancellationToken) =>
        (await FindProgramsAsync((PostgresRestorePlan)plan, cancellationToken)).ToString();

    public async Task<IRehearsal> RehearseAsync(RestorePlan plan, string privateDirectory, CancellationToken cancellationToken)
    {
        var restored = (PostgresRestorePlan)plan;
        return await PostgresRehearsal.StartAsync(restored, await FindProgramsAsync(restored, cancellationToken), privateDirectory, options, clock, cancellationToken);
    }

    public ServerPlace Place => new(options.Host, options.Port);

    public IRehearsedSource At(ServerPlace place)
    {
        var there = options.At(place);
        return new PostgresSource(catalog, tail, taker, planner, restorer, verifier, checks, new PostgresSql(there), there, room, clock);
    }

    public async Task<IRehearsal> VisitAsync(RestorePlan plan, CancellationToken cancellationToken) =>
        await PostgresVisit.BeginAsync((PostgresRestorePlan)plan, sql, options, cancellationToken);

    public async Task<string> AskServerAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            return AnswerText.Of(await sql.ScalarAsync<object>(question, cancellationToken)) ?? "";
        }
        catch (PostgresException refused) when (refused.SqlState == SqlStates.InsufficientPrivilege)
        {
            throw new SourceException($"{options.Username} may not ask '{question}': {refused.MessageText}. Run GRANT SELECT ON … TO {options.Username}.", isPermanent: true, refused);
        }
        catch (PostgresException refused) when (refused.SqlState.StartsWith("42", StringComparison.Ordinal))
        {
            throw new SourceException($"PostgreSQL does not understand '{question}': {refused.MessageText}.", isPermanent: true, refused);
        }
        catch (NpgsqlException refused)
        {
            throw PostgresFailure.Explain(refused, options);
        }
    }

    public Task<ServerState> LookAtServerAsync(CancellationToken cancellationToken) => new RecoveredServer(sql, options).LookAsync(cancellationToken);

    public Task<IReadOnlyList<RehearsalProof>> ProveServerAsync(TimeSpan budget, CancellationToken cancellationToken) =>
        new RecoveredServer(sql, options).ProveAsync(budget, cancellationToken);

    /// <summary>A named restore point where the role may make one, so that the mark is found by hand too; the place itself is what counts.</summary>
    public async Task<SourceMark> MarkAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await sql.OpenAsync(cancellationToken);
            try
            {
                await using var create = new NpgsqlCommand("SELECT pg_create_restore_point($1)::text", connection) { Parameters = { new NpgsqlParameter { Value = name } } };
                var place = (string)(await create.ExecuteScalarAsync(cancellationToken))!;
                return new SourceMark(place, $"restore point '{name}' at {place}");
            }
            catch (PostgresException refused) when (refused.SqlState == SqlStates.InsufficientPrivilege)
            {
                await using var look = new NpgsqlCommand("SELECT pg_current_wal_insert_lsn()::text", connection);
                var place = (string)(await look.ExecuteScalarAsync(cancellationToken))!;
                return new SourceMark(place, $"{place}, without a restore point (GRANT EXECUTE ON FUNCTION pg_create_restore_point TO {options.Username})");
            }
        }
        catch (NpgsqlException failure)
        {
            throw PostgresFailure.Explain(failure, options);
        }
    }

    public async Task<bool> IsDurableAsync(SourceMark mark, CancellationToken cancellationToken)
    {
        if (await catalog.ReadIdentityAsync(cancellationToken) is not { } identity)
        {
            return false;
        }

        var place = Lsn.Parse(mark.To).Value;
        var end = await catalog.OpenLog(new WalSegmentSize(identity.WalSegmentBytes)).ReadEndAsync(cancellationToken);
        if (end.Pieces.Count == 0)
        {
            return false;
        }

        var lineage = WalNaming.Lineage(WalPath.NewestTimeline(end));
        return end.Confirmation is { } confirmed && confirmed.Lineage == lineage && confirmed.Position >= place
            || end.Pieces.Any(piece => piece.Lineage == lineage && piece.Range.End >= place);
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

        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var archive = catalog.OpenLog(size);
        var backups = await catalog.ListBackupsAsync(cancellationToken);
        var log = await archive.ReadEndSteadilyAsync(inventory => DescribeLogAsync(archive, inventory, backups, cancellationToken), cancellationToken);
        if (log is { Gaps.Count: > 0 })
        {
            log = await archive.ReadSteadilyAsync(inventory => WithinGapsAsync(log, archive, inventory, backups, size, cancellationToken), cancellationToken);
        }

        return new SourceListing(Name, [.. backups.Select(b => b.Sealed)], log)
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

    private Task<ServerPrograms> FindProgramsAsync(PostgresRestorePlan plan, CancellationToken cancellationToken) =>
        ServerPrograms.FindAsync(int.Parse(plan.Backup.Details.ServerVersion.Split('.', ' ')[0], CultureInfo.InvariantCulture), options.Programs, cancellationToken);

    /// <summary>Only a log with gaps is listed whole for that.</summary>
    private static async Task<LogListing> WithinGapsAsync(
        LogListing log, LogArchive archive, LogInventory inventory, BackupListing<BaseBackup> backups, WalSegmentSize size, CancellationToken cancellationToken)
    {
        var continued = backups.Where(b => !inventory.Pruned.ReachesBehind(WalNaming.Lineage(b.Details.EndTimeline), b.Start.Value));
        return log.Within(await RestorableMoments.FindAsync(archive, inventory, continued, log.RestorableTo, size, cancellationToken));
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
