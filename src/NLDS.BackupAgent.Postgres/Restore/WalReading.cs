using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>Looks into archived segments.</summary>
internal static class WalReading
{
    /// <summary>
    /// The last complete record that ends at or before <paramref name="limit"/>. A record may be longer than segments are, so the search goes back as far as
    /// it has to.
    /// </summary>
    /// <returns>The record's start and end, or null when there is none in these files.</returns>
    public static async Task<(Lsn Start, Lsn End)?> LastRecordAsync(
        LogArchive archive, IReadOnlyList<WalFile> files, Lsn limit, WalSegmentSize size, CancellationToken cancellationToken)
    {
        for (var first = files.Count - 1; first >= 0; first--)
        {
            var scanner = new WalScanner(files[first].Segment.Start.Value, (uint)size.Bytes, verifyChecksums: true);
            foreach (var file in files.Skip(first))
            {
                await ScanAsync(archive, file, limit, scanner, cancellationToken);
            }

            if (scanner.LastRecordStart != 0)
            {
                return (new Lsn(scanner.LastRecordStart), new Lsn(scanner.LastRecordEnd));
            }
        }

        return null;
    }

    /// <summary>The first transaction end after <paramref name="time"/>, in the order of the log from the file at <paramref name="index"/> on; null when there is none.</summary>
    public static async Task<TransactionEnd?> FirstTransactionAfterAsync(
        LogArchive archive, IReadOnlyList<WalFile> files, int index, DateTimeOffset time, WalSegmentSize size, CancellationToken cancellationToken)
    {
        TransactionEnd? found = null;
        var scanner = await ScannerBeforeAsync(
            archive, files, index, size, end => found ??= end.Time > time ? end : null, cancellationToken);
        foreach (var file in files.Skip(index))
        {
            if (found is null)
            {
                await ScanAsync(archive, file, new Lsn(ulong.MaxValue), scanner, cancellationToken);
            }
        }

        return found;
    }

    /// <summary>
    /// A scanner that stands at the start of the file at <paramref name="index"/> and knows the record that goes on there: a transaction's end may begin in one
    /// segment and be complete only in the next, and its time is told by that one.
    /// </summary>
    private static async Task<WalScanner> ScannerBeforeAsync(
        LogArchive archive, IReadOnlyList<WalFile> files, int index, WalSegmentSize size, Action<TransactionEnd> ended, CancellationToken cancellationToken)
    {
        for (var first = index - 1; ; first--)
        {
            var scanner = new WalScanner(files[Math.Max(first, 0)].Segment.Start.Value, (uint)size.Bytes) { TransactionEnded = ended };
            foreach (var file in files.Take(index).Skip(first))
            {
                await ScanAsync(archive, file, new Lsn(ulong.MaxValue), scanner, cancellationToken);
            }

            if (first <= 0 || scanner.LastRecordStart != 0)
            {
                return scanner;
            }
        }
    }

    /// <summary>Feeds a file's content up to <paramref name="limit"/>.</summary>
    private static async Task ScanAsync(LogArchive archive, WalFile file, Lsn limit, WalScanner scanner, CancellationToken cancellationToken)
    {
        await using var sink = new WalScanStream(scanner, limit);
        foreach (var piece in file.Pieces)
        {
            sink.Begin(new Lsn(piece.Range.Start));
            await archive.CopyAsync(piece, sink, cancellationToken);
        }
    }
}
