using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Retention;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>
/// Reads everything back: archives against their manifests and the server's, each piece of log against its seal and its records' checksums, and what lies beside.
/// What is found is priced at the end, when all of it is known.
/// </summary>
internal sealed class PostgresVerifier(BackupRepository repository, PostgresCatalog catalog, TimeProvider clock)
{
    /// <summary>
    /// A tail writes its first confirmation when it has streamed for some seconds; a base backup older than this has one beside it, even if the
    /// agent was killed again and again before it came to that.
    /// </summary>
    private static readonly TimeSpan UntilConfirmed = TimeSpan.FromMinutes(10);

    private static readonly string[] OtherDocuments = ["keys/", "journal/", "marks/", "recovery/", "postgres/wal/plain.json", "postgres/lease/", "postgres/adopted/", "postgres/succession/", "postgres/verified/"];

    public async Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.RequireKeysAsync(cancellationToken);
        var identity = await catalog.RequireIdentityAsync(cancellationToken);
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var archive = catalog.OpenLog(size);
        var run = new VerificationRun(PostgresCatalog.Source, scope, progress, clock);
        var backups = await new BackupVerifier(repository, PostgresCatalog.Layout, BaseBackupTaker.ServerManifestName)
            .VerifyAsync(backup => new BaseBackupCheck(IncrementalOf(backup)), run, cancellationToken);
        var (known, damage) = ReadDetails(backups);

        var records = new List<DamagedRecord>();
        var points = new List<LogMark>();
        var inventory = await archive.ReadInventoryAsync(records, cancellationToken);
        var log = await new LogVerifier(repository, PostgresCatalog.Source, archive).VerifyAsync(
            inventory, From(scope, known, backups, size), (lineage, start) => WalCheck.Begin(lineage, start, size, points.Add), run, cancellationToken);
        var beside = await new WalRecords(archive, run).VerifyAsync(log.Inventory, records, points, cancellationToken);
        RequireConfirmation(archive, log.Inventory, records, backups.All, run);
        RequirePlainReach(archive, log.Inventory, run);

        var bases = await StillThereAsync(known, log.Inventory, cancellationToken);
        var faults = Faults(log, bases, beside, size);
        var lost = DamageCosts.WithChildren(bases, bases.Where(b => damage.Any(d => d.IsLost && d.Id == b.Sealed.Id)));
        await PriceAsync(new DamageCosts(archive, log.Inventory, Newest(log.Inventory, beside), bases, lost, faults), bases, damage, faults, run, cancellationToken);
        var documents = new DocumentVerifier(repository);
        await documents.RequireKeysAsync(backups.All, run, cancellationToken);
        await documents.VerifyAsync(OtherDocuments, run, cancellationToken);
        return run.Report();
    }

    private static (IReadOnlyList<BaseBackup> Bases, IReadOnlyList<BackupDamage> Damage) ReadDetails(VerifiedBackups backups)
    {
        var bases = new List<BaseBackup>();
        var damage = backups.Damage.ToList();
        foreach (var backup in backups.All)
        {
            try
            {
                bases.Add(PostgresCatalog.Read(backup));
            }
            catch (NotRestorableException unreadable)
            {
                damage.Add(new BackupDamage(backup.Id, PostgresCatalog.NameOfManifest(backup.Id), unreadable.Message, IsLost: true));
            }
        }

        return (bases, damage);
    }

    /// <summary>Without those that retention has removed since they were listed, and then their log.</summary>
    private async Task<IReadOnlyList<BaseBackup>> StillThereAsync(IReadOnlyList<BaseBackup> known, LogInventory inventory, CancellationToken cancellationToken)
    {
        var there = new List<BaseBackup>();
        foreach (var backup in known)
        {
            if (!WalContinuity.BeforeConsistency(inventory, backup).Any() || await repository.ExistsAsync(PostgresCatalog.Layout, backup.Sealed.Id, cancellationToken))
            {
                there.Add(backup);
            }
        }

        return there;
    }

    /// <summary>Details that nobody understands are found later, by name.</summary>
    private static BaseBackupDetails.IncrementalPart? IncrementalOf(SealedBackup backup)
    {
        try
        {
            return backup.Parent is null ? null : PostgresCatalog.Read(backup).Details.Incremental;
        }
        catch (NotRestorableException)
        {
            return null;
        }
    }

    /// <summary>Everything, or the log that the backups in scope need.</summary>
    private static ulong From(VerifyScope scope, IReadOnlyList<BaseBackup> bases, VerifiedBackups backups, WalSegmentSize size)
    {
        var wanted = bases.Where(b => backups.InScope.Contains(b.Sealed)).ToList();
        return scope.BackupId == VerifyScope.All.BackupId || wanted.Count == 0 ? 0 : size.RoundDown(wanted.Min(b => b.Start)).Value;
    }

    private static List<WalFault> Faults(
        VerifiedLog log, IReadOnlyList<BaseBackup> bases, IReadOnlyDictionary<uint, TimelineHistory> histories, WalSegmentSize size)
    {
        List<WalFault> faults =
        [
            .. log.Damage.Select(d => new WalFault(d.Piece.Name, d.What, d.Piece.Lineage, d.Piece.Range)),
            .. WalContinuity.Holes(log.Inventory),
            .. WalContinuity.Vanished(log.Inventory),
            .. histories.Values.SelectMany(history => WalContinuity.BeforeTimeline(log.Inventory, history, size)),
        ];

        // A hole that was named already is not named again for each backup that it spoils.
        faults.AddRange(bases
            .SelectMany(backup => WalContinuity.BeforeConsistency(log.Inventory, backup))
            .Where(reach => !faults.Any(f => f.Lineage == reach.Lineage && f.Range.Start < reach.Range.End && f.Range.End > reach.Range.Start)));
        return faults;
    }

    /// <summary>The line of history that the newest timeline goes back to; without its file nothing is known of its ancestors.</summary>
    private static TimelineHistory Newest(LogInventory inventory, IReadOnlyDictionary<uint, TimelineHistory> histories)
    {
        var timeline = inventory.Pieces.Count > 0 ? WalPath.NewestTimeline(inventory) : 1;
        return histories.TryGetValue(timeline, out var history) ? history : TimelineHistory.WithoutAncestors(timeline);
    }

    /// <summary>The confirmation is the one object that nothing refers to; without it nobody would notice that the newest WAL has vanished.</summary>
    private void RequireConfirmation(
        LogArchive archive, LogInventory inventory, List<DamagedRecord> damaged, IReadOnlyList<SealedBackup> backups, VerificationRun run)
    {
        if (inventory.Confirmation is null && inventory.Pieces.Count > 0 && !damaged.Any(d => d.Key == archive.NameOfConfirmation)
            && backups.Any(b => b.Manifest.Ended < clock.GetUtcNow() - UntilConfirmed))
        {
            run.Add(new DamageFinding(
                archive.NameOfConfirmation, "is missing from the repository", "moments after the last commit cannot be restored to by their time; a running agent writes it again"));
        }
    }

    /// <summary>With a key, it is written down once how far the log without it reaches; and nothing that reaches further is believed.</summary>
    private static void RequirePlainReach(LogArchive archive, LogInventory inventory, VerificationRun run)
    {
        if (!inventory.HasPlainReach && inventory.Pieces.Any(p => p.IsEncrypted))
        {
            run.Add(new DamageFinding(
                archive.NameOfPlainReach, "is missing from the repository", "what is not encrypted cannot be restored; an agent that is started with the key writes it again"));
        }

        foreach (var piece in inventory.Strange)
        {
            run.Add(new DamageFinding(
                piece.Name, "is not encrypted and was not there when encryption was turned on", "nothing: it is never read. Find out who can write to the store"));
        }
    }

    private static async Task PriceAsync(
        DamageCosts costs, IReadOnlyList<BaseBackup> bases, IReadOnlyList<BackupDamage> damage, IReadOnlyList<WalFault> faults, VerificationRun run, CancellationToken cancellationToken)
    {
        foreach (var found in damage)
        {
            run.Add(found switch
            {
                { IsLost: false } => new DamageFinding(found.Subject, found.What, $"none: base backup {found.Id} can be restored all the same"),
                _ when bases.FirstOrDefault(b => b.Sealed.Id == found.Id) is { } backup => await costs.PriceAsync(backup, found.Subject, found.What, cancellationToken),
                _ => new DamageFinding(found.Subject, found.What, $"base backup {found.Id} cannot be restored"),
            });
        }

        foreach (var fault in faults)
        {
            run.Add(await costs.PriceAsync(fault, cancellationToken));
        }
    }
}
