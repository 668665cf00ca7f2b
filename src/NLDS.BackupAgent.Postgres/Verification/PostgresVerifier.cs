using System.Text;
using NLDS.BackupAgent.Postgres.Archive;
using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Retention;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>Reads everything back: archives against their manifests and the server's, each piece of log against its seal and its records' checksums.</summary>
internal sealed class PostgresVerifier(BackupRepository repository, PostgresCatalog catalog)
{
    public async Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        var identity = await catalog.RequireIdentityAsync(cancellationToken);
        var size = new WalSegmentSize(identity.WalSegmentBytes);
        var archive = catalog.OpenLog(size);
        var run = new Run(progress);
        var backups = await ChooseAsync(scope, run, cancellationToken);
        foreach (var backup in backups)
        {
            await VerifyBackupAsync(backup, run, cancellationToken);
        }

        try
        {
            var inventory = await archive.ReadInventoryAsync(cancellationToken);
            await VerifyLogAsync(archive, inventory, backups, scope == VerifyScope.All, size, run, cancellationToken);
        }
        catch (NotRestorableException damage)
        {
            run.Damage.Add(new DamageFinding("postgres/wal", damage.Message, "no restore to a moment after a base backup can be planned"));
        }

        return new VerifyReport(PostgresCatalog.Source, run.Objects, run.StoredBytes, run.ContentBytes, run.Damage);
    }

    private async Task<IReadOnlyList<BaseBackup>> ChooseAsync(VerifyScope scope, Run run, CancellationToken cancellationToken)
    {
        var all = await catalog.ListBackupsAsync(cancellationToken);
        run.Damage.AddRange(all.Damaged.Select(d => new DamageFinding(d.Manifest, d.Reason, $"base backup {d.Id} cannot be restored")));

        if (scope == VerifyScope.All)
        {
            return all;
        }

        if (scope == VerifyScope.Latest)
        {
            return [.. all.TakeLast(1)];
        }

        return all.Where(b => b.Sealed.Id.ToString() == scope.BackupId).ToList() is { Count: 1 } one
            ? one
            : throw new UsageException($"There is no base backup '{scope.BackupId}'. Those there are: {string.Join(", ", all.Select(b => b.Sealed.Id))}.");
    }

    private async Task VerifyBackupAsync(BaseBackup backup, Run run, CancellationToken cancellationToken)
    {
        var archives = new FileDigest();
        using var manifest = new ServerManifest();
        var sound = true;
        foreach (var content in backup.Sealed.Manifest.Objects)
        {
            try
            {
                await using var source = repository.OpenRead(content, ContentProof.StoredAndContent);
                await ReadAsync(source, Consumer(content, archives, manifest), run, cancellationToken);
                run.Objects++;
                run.StoredBytes += content.StoredBytes;
            }
            catch (Exception damage) when (damage is NotRestorableException or InvalidDataException)
            {
                if (!await repository.ExistsAsync(PostgresCatalog.Layout, backup.Sealed.Id, cancellationToken))
                {
                    // Retention has begun to remove it since it was listed.
                    return;
                }

                sound = false;
                run.Damage.Add(new DamageFinding(content.Key, damage.Message, $"base backup {backup.Sealed.Id} cannot be restored"));
            }
        }

        if (sound && !manifest.Files.Equals(archives))
        {
            run.Damage.Add(new DamageFinding(
                backup.Sealed.Manifest.Objects[0].Key, "its files are not those of the server's manifest", $"base backup {backup.Sealed.Id} cannot be restored"));
        }
    }

    private static (BytesConsumer Take, Action Complete) Consumer(BackupObject content, FileDigest archives, ServerManifest manifest)
    {
        if (content.Name == BaseBackupTaker.ServerManifestName)
        {
            return (manifest.Feed, manifest.Complete);
        }

        var oid = content.Name == "base.tar" ? null : content.Name[..content.Name.IndexOf('.', StringComparison.Ordinal)];
        var tar = new TarScanner(new ArchiveFiles(archives, oid));
        return (tar.Feed, tar.RequireComplete);
    }

    private static async Task ReadAsync(Stream source, (BytesConsumer Take, Action Complete) consumer, Run run, CancellationToken cancellationToken)
    {
        var buffer = new byte[256 << 10];
        while (await source.ReadAsync(buffer, cancellationToken) is var count && count > 0)
        {
            consumer.Take(buffer.AsSpan(0, count));
            run.Read(count);
        }

        consumer.Complete();
    }

    /// <summary>Each lineage from the oldest backup on it, or from its first piece: no hole, and every piece sound.</summary>
    private static async Task VerifyLogAsync(
        LogArchive archive, LogInventory inventory, IReadOnlyList<BaseBackup> backups, bool everything, WalSegmentSize size, Run run, CancellationToken cancellationToken)
    {
        foreach (var backup in backups)
        {
            RequireReach(inventory, backup, size, run);
        }

        var from = everything || backups.Count == 0 ? 0 : size.RoundDown(backups.Min(b => b.Start)).Value;
        foreach (var lineage in inventory.Pieces.Where(p => p.Range.End > from).GroupBy(p => p.Lineage))
        {
            var pieces = lineage.OrderBy(p => p.Range.Start).ThenByDescending(p => p.Range.End).ToList();
            RequireNoHoles(pieces, inventory, run);
            WalScanner? scanner = null;
            var position = pieces[0].Range.Start;
            foreach (var piece in pieces)
            {
                if (scanner is null || piece.Range.Start > position || scanner.Fault is not null)
                {
                    scanner = piece.Range.Start % 8192 == 0 ? new WalScanner(piece.Range.Start, (uint)size.Bytes, verifyChecksums: true) : null;
                    position = piece.Range.Start;
                }

                if (await VerifyPieceAsync(archive, piece, scanner, run, cancellationToken))
                {
                    position = Math.Max(position, piece.Range.End);
                }
                else
                {
                    scanner = null;
                }
            }
        }

        run.Damage.AddRange(inventory.Strange.Select(piece => new DamageFinding(
            piece.Name, "is not encrypted and was not there when encryption was turned on", "nothing: it is never read. Find out who can write to the store")));
        RequireConfirmed(inventory, run);
        await VerifyBesideLogAsync(archive, inventory, run, cancellationToken);
    }

    /// <summary>What was durable once is still there.</summary>
    private static void RequireConfirmed(LogInventory inventory, Run run)
    {
        if (inventory.Confirmation is { } confirmed
            && inventory.Pieces.Where(p => p.Lineage == confirmed.Lineage).Max(p => (ulong?)p.Range.End) is var end
            && !(end >= confirmed.Position))
        {
            run.Damage.Add(new DamageFinding(
                $"WAL before {new Lsn(confirmed.Position)} on timeline {confirmed.Lineage}",
                $"was durable at {confirmed.AsOf.UtcDateTime:O} and is missing from the repository",
                "the newest commits cannot be restored"));
        }
    }

    /// <summary>Timeline histories, the joints between timelines, and named moments.</summary>
    private static async Task VerifyBesideLogAsync(LogArchive archive, LogInventory inventory, Run run, CancellationToken cancellationToken)
    {
        foreach (var missing in WalPath.MissingHistories(inventory))
        {
            run.Damage.Add(new DamageFinding($"postgres/wal/{missing}", "is missing from the repository", "no restore can follow its timeline"));
        }

        foreach (var name in inventory.Files.Keys.Order(StringComparer.Ordinal))
        {
            if (TimelineHistory.TryParseFileName(name, out var timeline))
            {
                await VerifyHistoryAsync(archive, inventory, name, timeline, run, cancellationToken);
            }
        }

        try
        {
            await foreach (var _ in archive.ReadMarksAsync(cancellationToken))
            {
                run.Objects++;
            }
        }
        catch (NotRestorableException damage)
        {
            run.Damage.Add(new DamageFinding("postgres/wal/marks", damage.Message, "restore points cannot be found by name"));
        }
    }

    private static async Task VerifyHistoryAsync(
        LogArchive archive, LogInventory inventory, string name, uint timeline, Run run, CancellationToken cancellationToken)
    {
        try
        {
            var history = TimelineHistory.Parse(timeline, Encoding.UTF8.GetString(await archive.ReadFileAsync(name, cancellationToken)));
            run.Objects++;
            var parent = WalNaming.Lineage(history.Ancestors[^1].Timeline);
            var first = inventory.Pieces.Where(p => p.Lineage == WalNaming.Lineage(timeline)).Min(p => (ulong?)p.Range.Start);
            var before = inventory.Pieces.Where(p => p.Lineage == parent && p.Range.Start < history.Start.Value).Max(p => (ulong?)p.Range.End);
            var child = archive.Naming.SegmentAt(history.Start.Value).Start;
            if (before < first && !PrunedWal.ExplainsJoint(inventory.Pruned, parent, WalNaming.Lineage(timeline), child, before.Value, first.Value))
            {
                run.Damage.Add(new DamageFinding(
                    $"WAL from {new Lsn(before.Value)} to {new Lsn(first.Value)}",
                    $"is missing from the repository, where timeline {timeline} follows {history.Ancestors[^1].Timeline}",
                    $"no restore to timeline {timeline} from a backup before it"));
            }
        }
        catch (Exception damage) when (damage is FormatException or ArgumentOutOfRangeException)
        {
            run.Damage.Add(new DamageFinding($"postgres/wal/{name}", damage.Message, $"no restore can follow timeline {timeline}"));
        }
    }

    private static async Task<bool> VerifyPieceAsync(
        LogArchive archive, LogPiece piece, WalScanner? scanner, Run run, CancellationToken cancellationToken)
    {
        try
        {
            await using var sink = scanner is null ? Stream.Null : Scanning(scanner, piece);
            var seal = await archive.CopyAsync(piece, sink, cancellationToken);
            run.Objects++;
            run.StoredBytes += piece.StoredBytes;
            run.Read((long)piece.Range.Length);
            if (scanner?.Fault is { } fault)
            {
                throw new NotRestorableException($"The object '{piece.Name}' holds WAL that makes no sense at {fault}.");
            }

            return seal.End == piece.Range.End;
        }
        catch (NotRestorableException damage)
        {
            if (await archive.IsRemovedAsync(piece, cancellationToken))
            {
                return false;
            }

            run.Damage.Add(new DamageFinding(
                piece.Name, damage.Message, $"no restore to a position behind {new Lsn(piece.Range.Start)} on timeline {piece.Lineage} from a backup before it"));
            return false;
        }
    }

    private static WalScanStream Scanning(WalScanner scanner, LogPiece piece)
    {
        var sink = new WalScanStream(scanner, new Lsn(ulong.MaxValue));
        sink.Begin(new Lsn(piece.Range.Start));
        return sink;
    }

    private static void RequireNoHoles(List<LogPiece> pieces, LogInventory inventory, Run run)
    {
        var end = pieces[0].Range.End;
        foreach (var piece in pieces)
        {
            if (piece.Range.Start > end && !inventory.Pruned.Explains(piece.Lineage, end, piece.Range.Start)
                && !inventory.Gaps.Any(g => g.Lineage == piece.Lineage && g.Start <= end && g.End >= piece.Range.Start))
            {
                run.Damage.Add(new DamageFinding(
                    $"WAL from {new Lsn(end)} to {new Lsn(piece.Range.Start)} on timeline {piece.Lineage}",
                    "is missing from the repository, and no gap was recorded",
                    $"no restore to a position between {new Lsn(end)} and the end of the next base backup"));
            }

            end = Math.Max(end, piece.Range.End);
        }
    }

    private static void RequireReach(LogInventory inventory, BaseBackup backup, WalSegmentSize size, Run run)
    {
        var lineage = WalNaming.Lineage(backup.Details.EndTimeline);
        var first = backup.Details.StartTimeline == backup.Details.EndTimeline
            ? size.RoundDown(backup.Start).Value
            : inventory.Pieces.Where(p => p.Lineage == lineage).Min(p => (ulong?)p.Range.Start) ?? 0;
        var end = inventory.Cover(lineage, first).End;
        if (end < backup.End.Value)
        {
            run.Damage.Add(new DamageFinding(
                $"WAL from {new Lsn(end)} to {backup.End} on timeline {lineage}",
                "is missing from the repository",
                $"base backup {backup.Sealed.Id} cannot be made consistent"));
        }
    }

    private delegate void BytesConsumer(ReadOnlySpan<byte> bytes);

    private sealed class Run(IProgress<TransferProgress> progress)
    {
        private const long ReportEvery = 16 << 20;

        public List<DamageFinding> Damage { get; } = [];

        public int Objects { get; set; }

        public long StoredBytes { get; set; }

        public long ContentBytes { get; private set; }

        public void Read(long count)
        {
            var before = ContentBytes;
            ContentBytes += count;
            if (ContentBytes / ReportEvery != before / ReportEvery)
            {
                progress.Report(new TransferProgress("verify", ContentBytes, null));
            }
        }
    }
}
