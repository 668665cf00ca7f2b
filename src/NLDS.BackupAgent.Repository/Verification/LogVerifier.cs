using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>A piece of a log that is damaged.</summary>
public sealed record LogDamage(LogPiece Piece, string What);

/// <summary>What a verification found in a log.</summary>
/// <param name="Inventory">The log as it was listed last.</param>
/// <param name="Damage">Pieces that are there and cannot be relied on.</param>
public sealed record VerifiedLog(LogInventory Inventory, IReadOnlyList<LogDamage> Damage);

/// <summary>
/// Reads a log back, each lineage in the order of its positions, each piece against its seal and what the source knows of its log. Whole segments that are sound
/// are remembered. The chunks of the open segment are few and pass away, so they are read each time.
/// </summary>
public sealed class LogVerifier(BackupRepository repository, string source, LogArchive archive)
{
    /// <summary>
    /// A log that is being written changes while it is read: chunks are merged and give way to their segment. What was missed is read in another round; a writer
    /// that outruns three of them leaves the rest to the next run.
    /// </summary>
    private const int Rounds = 3;

    /// <summary>So many segments are read before they are remembered, lest a run that is broken off has read for nothing.</summary>
    private const int RememberEvery = 512;

    private readonly LogProofs proofs = new(repository, source);

    /// <param name="inventory">The log as it was listed.</param>
    /// <param name="from">Pieces that end at or before this position are left out.</param>
    /// <param name="begin">Makes the source's check of a stretch that begins at a position; null where none can begin.</param>
    public async Task<VerifiedLog> VerifyAsync(
        LogInventory inventory, ulong from, Func<string, ulong, ILogCheck?> begin, VerificationRun run, CancellationToken cancellationToken)
    {
        var damage = new List<LogDamage>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var round = 1; ; round++)
        {
            var vanished = false;
            foreach (var lineage in inventory.Pieces.Where(p => p.Range.End > from && seen.Add(p.Name)).GroupBy(p => p.Lineage).OrderBy(g => g.Key, StringComparer.Ordinal))
            {
                // What was removed by retention need not be remembered.
                var first = inventory.Pieces.Where(p => p.Lineage == lineage.Key).Min(p => p.Range.Start);
                vanished |= await VerifyAsync(lineage.Key, first, [.. lineage.OrderBy(p => p.Range.Start).ThenByDescending(p => p.Range.End)], begin, run, damage, cancellationToken);
            }

            if (!vanished || round == Rounds)
            {
                return new VerifiedLog(inventory, damage);
            }

            inventory = await archive.ReadInventoryAsync(damaged: [], cancellationToken);
        }
    }

    /// <returns>True when a piece went away before it could be read.</returns>
    private async Task<bool> VerifyAsync(
        string lineage,
        ulong first,
        IReadOnlyList<LogPiece> pieces,
        Func<string, ulong, ILogCheck?> begin,
        VerificationRun run,
        List<LogDamage> damage,
        CancellationToken cancellationToken)
    {
        var proven = await proofs.ReadAsync(lineage, run, cancellationToken);
        proven.Remove(new LogRange(0, first));
        var chosen = Choose(pieces, proven, run);
        run.Believe(pieces.Count - chosen.Count);
        var vanished = false;
        var (unsaved, position) = (0, 0UL);
        ILogCheck? check = null;
        await foreach (var arriving in archive.ReadAheadAsync(chosen, cancellationToken))
        {
            var piece = arriving.Piece;
            if (check is null || piece.Range.Start > position || check.Fault is not null)
            {
                check = begin(lineage, piece.Range.Start);
            }

            var fault = await ReadAsync(arriving, check, run, cancellationToken);
            position = piece.Range.End > position ? piece.Range.End : position;
            if (fault is null && piece.IsSegment)
            {
                proven.Add(piece.Range, run.Began);
                if (++unsaved == RememberEvery)
                {
                    await proofs.WriteAsync(lineage, proven, run, cancellationToken);
                    unsaved = 0;
                }
            }
            else if (fault is not null)
            {
                check = null;
                unsaved += piece.IsSegment ? 1 : 0;
                proven.Remove(piece.Range);
                if (await archive.ExistsAsync(piece, cancellationToken))
                {
                    damage.Add(new LogDamage(piece, fault));
                }
                else
                {
                    vanished = true;
                }
            }
        }

        if (unsaved > 0)
        {
            await proofs.WriteAsync(lineage, proven, run, cancellationToken);
        }

        return vanished;
    }

    /// <summary>
    /// What has to be read, and before each stretch of it the piece in front, so that the record that goes over the joint is seen whole. Where two objects hold the
    /// same range, a proof of the range would not tell of which.
    /// </summary>
    private static List<LogPiece> Choose(IReadOnlyList<LogPiece> pieces, ProvenRanges proven, VerificationRun run)
    {
        var twice = pieces.Where(p => p.IsSegment).GroupBy(p => p.Range).Where(g => g.Count() > 1).Select(g => g.Key).ToHashSet();
        var due = ReadingPlan.Choose(
            [.. pieces.Select(p => (p, p.IsSegment && !twice.Contains(p.Range) ? proven.VerifiedAt(p.Range) : null))], run.Began, run.Scope).ToHashSet();
        var chosen = new List<LogPiece>();
        for (var i = 0; i < pieces.Count; i++)
        {
            if (due.Contains(pieces[i]) || (i + 1 < pieces.Count && due.Contains(pieces[i + 1]) && pieces[i].Range.End == pieces[i + 1].Range.Start))
            {
                chosen.Add(pieces[i]);
            }
        }

        return chosen;
    }

    private static async Task<string?> ReadAsync(ArrivingPiece arriving, ILogCheck? check, VerificationRun run, CancellationToken cancellationToken)
    {
        var piece = arriving.Piece;
        var position = piece.Range.Start;
        try
        {
            _ = await arriving.ReadAsync(
                bytes =>
                {
                    check?.Feed(position, bytes);
                    position += (ulong)bytes.Length;
                    run.Read(bytes.Length);
                },
                cancellationToken);
        }
        catch (NotRestorableException damage)
        {
            return damage.Message;
        }

        if (check?.Fault is { } fault)
        {
            return $"The object '{piece.Name}' holds a log that makes no sense at {fault}.";
        }

        run.Sound(piece.StoredBytes);
        return null;
    }
}
