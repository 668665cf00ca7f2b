using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Redis.Verification;

/// <summary>
/// Reads everything back: each copy against its manifest, its own checksum and its structure, each piece of the stream against its seal and as commands, and what lies
/// beside. What is sound is remembered, so that the next verification reads what is new.
/// </summary>
internal sealed class RedisVerifier(BackupRepository repository, RedisCatalog catalog, TimeProvider clock)
{
    /// <summary>
    /// A tail writes its first confirmation when it has streamed for some seconds; a base older than this, with stream behind it, has one beside it, even if the
    /// agent was killed again and again before it came to that.
    /// </summary>
    private static readonly TimeSpan UntilConfirmed = TimeSpan.FromMinutes(10);

    private static readonly string[] OtherDocuments = ["keys/", "journal/", "redis/stream/plain.json", "redis/lease/", "redis/verified/"];

    public async Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        await repository.RequireKeysAsync(cancellationToken);
        var run = new VerificationRun(RedisCatalog.Source, scope, progress, clock);
        var backups = await new BackupVerifier(repository, RedisCatalog.Layout, RedisBase.ObjectName)
            .VerifyAsync(backup => new BaseCheck(TryRead(backup)), run, cancellationToken);
        var bases = ReadDetails(backups, run);

        var archive = catalog.OpenLog();
        var records = new List<DamagedRecord>();
        var inventory = await archive.ReadInventoryAsync(records, cancellationToken);
        var offsets = bases.Select(b => b.Details.Position).OfType<StreamPosition>().ToLookup(p => p.ReplicationId, p => p.Offset);
        var inScope = bases.Where(b => backups.InScope.Contains(b.Sealed)).ToList();
        var log = await new LogVerifier(repository, RedisCatalog.Source, archive).VerifyAsync(
            scope.BackupId == VerifyScope.All.BackupId ? inventory : inventory with { Pieces = [.. PiecesBehind(inScope, inventory)] },
            0,
            (lineage, start) => new CommandCheck(start, [.. offsets[lineage].Order()]),
            run,
            cancellationToken);
        foreach (var damage in log.Damage)
        {
            run.Add(new DamageFinding(
                damage.Piece.Name, damage.What, $"what was written after offset {damage.Piece.Range.Start} cannot be restored from a backup before it"));
        }

        foreach (var record in records)
        {
            run.Add(new DamageFinding(record.Key, record.Reason, "no restore to a moment after a backup can be planned"));
        }

        foreach (var from in inScope)
        {
            await RequirePathAsync(archive, log.Inventory, from, bases, run, cancellationToken);
        }

        RequireConfirmation(archive, log.Inventory, records, backups, run);
        RequireNoStrangers(log.Inventory, run);
        var documents = new DocumentVerifier(repository);
        await documents.RequireKeysAsync(backups.All, run, cancellationToken);
        await documents.VerifyAsync(OtherDocuments, run, cancellationToken);
        return run.Report();
    }

    private static RedisBase? TryRead(SealedBackup backup)
    {
        try
        {
            return RedisCatalog.Read(backup);
        }
        catch (NotRestorableException)
        {
            return null; // named with the details of all
        }
    }

    /// <summary>Those whose details can be read; what is wrong with the others, and with any, is told.</summary>
    private static List<RedisBase> ReadDetails(VerifiedBackups backups, VerificationRun run)
    {
        foreach (var damage in backups.Damage)
        {
            run.Add(new DamageFinding(
                damage.Subject, damage.What, damage.IsLost ? $"backup {damage.Id} cannot be restored" : $"none: backup {damage.Id} can be restored all the same"));
        }

        var bases = new List<RedisBase>();
        foreach (var backup in backups.All)
        {
            try
            {
                bases.Add(RedisCatalog.Read(backup));
            }
            catch (NotRestorableException unreadable)
            {
                run.Add(new DamageFinding(RedisCatalog.Layout.Prefix + backup.Id, unreadable.Message, $"backup {backup.Id} cannot be restored"));
            }
        }

        return bases;
    }

    private static IEnumerable<LogPiece> PiecesBehind(IEnumerable<RedisBase> bases, LogInventory inventory) => bases
        .Select(b => b.Details.Position)
        .OfType<StreamPosition>()
        .SelectMany(position => StreamPath.Find(inventory, position).Pieces)
        .Select(part => part.Piece)
        .Distinct();

    /// <summary>From a base on nothing may lie behind a hole that was neither recorded as a gap nor made by retention, and each change of the history is proven.</summary>
    private static async Task RequirePathAsync(LogArchive archive, LogInventory inventory, RedisBase from, IReadOnlyList<RedisBase> bases, VerificationRun run, CancellationToken cancellationToken)
    {
        if (from.Details.Position is not { } position || BeginsBehind(inventory, position, bases))
        {
            return;
        }

        var path = StreamPath.Find(inventory, position);
        if (path.Hole is { } hole
            && inventory.Pruned.EndBehind(path.End.ReplicationId, path.End.Offset) is null
            && !inventory.Gaps.Any(g => g.Lineage == path.End.ReplicationId && g.Start == path.End.Offset))
        {
            run.Add(new DamageFinding(
                $"redis/stream, {path.End.ReplicationId} from {path.End.Offset}", hole, $"from backup {from.Sealed.Id} nothing behind offset {path.End.Offset} can be restored"));
        }

        try
        {
            await PathReading.ProveSwitchesAsync(archive, path, cancellationToken);
        }
        catch (NotRestorableException damage)
        {
            run.Add(new DamageFinding("redis/stream", damage.Message, $"from backup {from.Sealed.Id} nothing behind the change of the replication id can be restored"));
        }
    }

    /// <summary>It was copied just before the stream began to be kept, with a copy of its own: between the two nothing was ever stored, and nothing acknowledged.</summary>
    private static bool BeginsBehind(LogInventory inventory, StreamPosition position, IReadOnlyList<RedisBase> bases) =>
        inventory.Pieces.Where(p => p.Lineage == position.ReplicationId).Min(p => (ulong?)p.Range.Start) is { } begin && begin > position.Offset
        && bases.Any(b => b.Details.Position == position with { Offset = begin });

    /// <summary>The confirmation is the one object that nothing refers to; without it nobody would notice that the newest stream has vanished.</summary>
    private void RequireConfirmation(LogArchive archive, LogInventory inventory, List<DamagedRecord> damaged, VerifiedBackups backups, VerificationRun run)
    {
        if (inventory.Confirmation is null && inventory.Pieces.Count > 0 && !damaged.Any(d => d.Key == archive.NameOfConfirmation)
            && backups.All.Any(b => b.Manifest.Ended < clock.GetUtcNow() - UntilConfirmed))
        {
            run.Add(new DamageFinding(
                archive.NameOfConfirmation, "is missing from the repository", "moments after the last write cannot be restored to by their time; a running agent writes it again"));
        }
    }

    /// <summary>With a key, nothing that is not encrypted is believed unless it was there before.</summary>
    private static void RequireNoStrangers(LogInventory inventory, VerificationRun run)
    {
        foreach (var piece in inventory.Strange)
        {
            run.Add(new DamageFinding(
                piece.Name, "is not encrypted and was not there when encryption was turned on", "nothing: it is never read. Find out who can write to the store"));
        }
    }
}
