using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis.Verification;

/// <summary>Reads everything back: each copy against its manifest, its own checksum and its structure, each piece of the stream against its seal and as commands.</summary>
internal sealed class RedisVerifier(BackupRepository repository, RedisCatalog catalog)
{
    public async Task<VerifyReport> VerifyAsync(VerifyScope scope, IProgress<TransferProgress> progress, CancellationToken cancellationToken)
    {
        await repository.RequireAsync(cancellationToken);
        var run = new Run(progress);
        var bases = await ChooseAsync(scope, run, cancellationToken);
        foreach (var one in bases)
        {
            await VerifyBaseAsync(one, run, cancellationToken);
        }

        try
        {
            var archive = catalog.OpenLog();
            await VerifyStreamAsync(archive, await archive.ReadInventoryAsync(cancellationToken), bases, scope.BackupId == VerifyScope.All.BackupId, run, cancellationToken);
        }
        catch (NotRestorableException damage)
        {
            run.Damage.Add(new DamageFinding("redis/stream", damage.Message, "no restore to a moment after a backup can be planned"));
        }

        return new VerifyReport(RedisCatalog.Source, run.Objects, run.StoredBytes, run.ContentBytes, run.Damage);
    }

    private async Task<IReadOnlyList<RedisBase>> ChooseAsync(VerifyScope scope, Run run, CancellationToken cancellationToken)
    {
        var all = await catalog.ListBasesAsync(cancellationToken);
        run.Damage.AddRange(all.Damaged.Select(d => new DamageFinding(d.Manifest, d.Reason, $"backup {d.Id} cannot be restored")));
        if (scope.BackupId == VerifyScope.All.BackupId)
        {
            return all;
        }

        if (scope.BackupId == VerifyScope.Latest.BackupId)
        {
            return [.. all.TakeLast(1)];
        }

        return all.Where(b => b.Sealed.Id.ToString() == scope.BackupId).ToList() is { Count: 1 } one
            ? one
            : throw new UsageException($"There is no Redis backup '{scope.BackupId}'. Those there are: {string.Join(", ", all.Select(b => b.Sealed.Id))}.");
    }

    private async Task VerifyBaseAsync(RedisBase from, Run run, CancellationToken cancellationToken)
    {
        try
        {
            var scanner = new RdbScanner();
            await using var source = repository.OpenRead(from.Rdb, ContentProof.StoredAndContent);
            var buffer = new byte[256 << 10];
            while (await source.ReadAsync(buffer, cancellationToken) is var count && count > 0)
            {
                scanner.Feed(buffer.AsSpan(0, count));
                run.Read(count);
            }

            var found = scanner.Complete();
            if (found.Databases?.Values.Sum(d => d.Keys) != from.Details.Keys)
            {
                throw new InvalidDataException("it holds another number of keys than its manifest says");
            }

            run.Objects++;
            run.StoredBytes += from.Rdb.StoredBytes;
        }
        catch (Exception damage) when (damage is NotRestorableException or InvalidDataException)
        {
            run.Damage.Add(new DamageFinding(from.Rdb.Key, damage.Message, $"backup {from.Sealed.Id} cannot be restored"));
        }
    }

    /// <summary>From each backup that was chosen as far as the stream goes, and for a complete verification every piece that no backup leads to.</summary>
    private static async Task VerifyStreamAsync(
        LogArchive archive, LogInventory inventory, IReadOnlyList<RedisBase> bases, bool everything, Run run, CancellationToken cancellationToken)
    {
        var read = new HashSet<LogPiece>();
        foreach (var from in bases)
        {
            if (from.Details.Position is not { } position)
            {
                continue;
            }

            var path = StreamPath.Find(inventory, position);
            RequireReach(inventory, from, path, run);
            await RequireSwitchesAsync(archive, from, path, run, cancellationToken);

            // What a backup before this one led through was read with it, and its commands with them.
            var behind = path.Pieces.SkipWhile(p => read.Contains(p.Piece)).ToList();
            if (behind.Count > 0)
            {
                var start = behind[0].Part.Start == path.Pieces[0].Part.Start ? path.Start.Offset : behind[0].Part.Start;
                await ReadPiecesAsync(archive, behind, new CommandScanner(start, _ => { }), behind.Count == path.Pieces.Count, from, run, cancellationToken);
                read.UnionWith(behind.Select(p => p.Piece));
            }
        }

        run.Damage.AddRange(inventory.Strange.Select(piece => new DamageFinding(
            piece.Name, "is not encrypted and was not there when encryption was turned on", "nothing: it is never read. Find out who can write to the store")));
        foreach (var stray in everything ? inventory.Pieces.Where(p => !read.Contains(p)) : [])
        {
            await ReadPieceAsync(archive, new PathPiece(stray, stray.Range), null, $"the stream from {stray.Range.Start} to {stray.Range.End}", run, cancellationToken);
        }
    }

    private static async Task RequireSwitchesAsync(LogArchive archive, RedisBase from, StreamPath path, Run run, CancellationToken cancellationToken)
    {
        try
        {
            await PathReading.ProveSwitchesAsync(archive, path, cancellationToken);
        }
        catch (NotRestorableException damage)
        {
            run.Damage.Add(new DamageFinding("redis/stream", damage.Message, $"from backup {from.Sealed.Id} nothing behind the change of the replication id can be restored"));
        }
    }

    private static async Task ReadPiecesAsync(
        LogArchive archive, List<PathPiece> pieces, CommandScanner scanner, bool fromBase, RedisBase from, Run run, CancellationToken cancellationToken)
    {
        var commands = fromBase ? scanner : null;
        foreach (var piece in pieces)
        {
            if (!await ReadPieceAsync(archive, piece, commands, $"what was written after offset {piece.Part.Start} behind backup {from.Sealed.Id}", run, cancellationToken))
            {
                // Where a command begins behind a damaged piece nobody knows.
                commands = null;
            }
        }
    }

    private static async Task<bool> ReadPieceAsync(
        LogArchive archive, PathPiece piece, CommandScanner? commands, string lost, Run run, CancellationToken cancellationToken)
    {
        try
        {
            var path = new StreamPath(new StreamPosition(piece.Piece.Lineage, piece.Part.Start), [piece], new StreamPosition(piece.Piece.Lineage, piece.Part.End));
            await PathReading.ReadAsync(
                archive,
                path,
                piece.Part.End,
                bytes =>
                {
                    commands?.Feed(bytes.Span);
                    run.Read(bytes.Length);
                },
                cancellationToken);
            run.Objects++;
            run.StoredBytes += piece.Piece.StoredBytes;
            return true;
        }
        catch (Exception damage) when (damage is NotRestorableException or ProtocolException)
        {
            run.Damage.Add(new DamageFinding(piece.Piece.Name, damage.Message, $"{lost} cannot be restored"));
            return false;
        }
    }

    /// <summary>Nothing may lie behind a hole that was neither recorded as a gap nor made by retention.</summary>
    private static void RequireReach(LogInventory inventory, RedisBase from, StreamPath path, Run run)
    {
        if (path.Hole is { } hole && inventory.Pruned.EndBehind(path.End.ReplicationId, path.End.Offset) is null && !inventory.Gaps.Any(g => g.Lineage == path.End.ReplicationId && g.Start == path.End.Offset))
        {
            run.Damage.Add(new DamageFinding(
                $"redis/stream, {path.End.ReplicationId} from {path.End.Offset}", hole, $"from backup {from.Sealed.Id} nothing behind offset {path.End.Offset} can be restored"));
        }
    }

    private sealed class Run(IProgress<TransferProgress> progress)
    {
        private const long ReportEvery = 16 << 20;

        public List<DamageFinding> Damage { get; } = [];

        public int Objects { get; set; }

        public long StoredBytes { get; set; }

        public long ContentBytes { get; private set; }

        public void Read(int bytes)
        {
            var before = ContentBytes;
            ContentBytes += bytes;
            if (ContentBytes / ReportEvery != before / ReportEvery)
            {
                progress.Report(new TransferProgress("verify", ContentBytes, null));
            }
        }
    }
}
