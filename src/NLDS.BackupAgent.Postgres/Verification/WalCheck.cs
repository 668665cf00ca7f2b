using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Postgres.Verification;

/// <summary>A stretch of WAL makes sense from page to page and from record to record, each with its own checksum. Restore points in it are told of.</summary>
internal sealed class WalCheck : ILogCheck
{
    private readonly WalScanner scanner;
    private ulong fed;

    private WalCheck(WalScanner scanner) => (this.scanner, fed) = (scanner, scanner.Position);

    /// <summary>A check from <paramref name="start"/> on; null within a page, where no scan can begin.</summary>
    public static WalCheck? Begin(string lineage, ulong start, WalSegmentSize size, Action<LogMark> restorePoint) => start % WalPageHeader.PageBytes != 0
        ? null
        : new WalCheck(new WalScanner(start, (uint)size.Bytes, verifyChecksums: true)
        {
            RestorePointMade = point => restorePoint(new LogMark(point.Name, lineage, point.Start, point.End, point.Time)),
        });

    public string? Fault => scanner.Fault?.ToString();

    public void Feed(ulong position, ReadOnlySpan<byte> bytes)
    {
        var end = position + (ulong)bytes.Length;
        if (fed >= position && fed < end)
        {
            scanner.Feed(bytes[(int)(fed - position)..]);
            fed = end;
        }
    }
}
