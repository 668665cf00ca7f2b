using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Reads commit times and restore points out of the log on its way to the archive.</summary>
internal sealed class WalObserver : ILogObserver
{
    private readonly WalScanner scanner;
    private readonly List<LogMark> marks = [];
    private LogTimes times;

    public WalObserver(Lsn start, uint timeline, WalSegmentSize size)
    {
        scanner = new WalScanner(start.Value, (uint)size.Bytes)
        {
            TransactionEnded = end => times = times.Include(end.Time),
            RestorePointMade = point => marks.Add(new LogMark(point.Name, WalNaming.Lineage(timeline), point.Start, point.End, point.Time)),
        };
    }

    /// <summary>What the scanner could not read, if anything.</summary>
    public WalStop? Fault => scanner.Fault;

    public void Observe(ReadOnlySpan<byte> bytes) => scanner.Feed(bytes);

    public LogTimes TakeTimes()
    {
        var taken = times;
        times = default;
        return taken;
    }

    public IReadOnlyList<LogMark> TakeMarks()
    {
        if (marks.Count == 0)
        {
            return [];
        }

        LogMark[] taken = [.. marks];
        marks.Clear();
        return taken;
    }
}
