using System.Globalization;
using NLDS.BackupAgent.Repository.Log;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>The write-ahead log as the repository's log archive sees it: a lineage is a timeline in eight hexadecimal digits.</summary>
internal sealed class WalNaming(WalSegmentSize size) : ILogNaming
{
    public static string Lineage(uint timeline) => timeline.ToString("X8", CultureInfo.InvariantCulture);

    public static uint Timeline(string lineage) => uint.Parse(lineage, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    public LogRange SegmentAt(ulong position)
    {
        var start = size.RoundDown(new Lsn(position)).Value;
        return new LogRange(start, start + (ulong)size.Bytes);
    }

    public string Name(string lineage, LogRange segment) => WalSegment.Holding(new Lsn(segment.Start), Timeline(lineage), size).Name;

    public bool TryParse(string name, out string lineage, out LogRange segment)
    {
        var parsed = WalSegment.TryParse(name, size, out var wal);
        lineage = parsed ? Lineage(wal.Timeline) : "";
        segment = parsed ? new LogRange(wal.Start.Value, wal.End.Value) : default;
        return parsed;
    }

    public bool IsLineage(string text) => text.Length == 8 && !text.AsSpan().ContainsAnyExcept(WalSegment.Capitals) && Timeline(text) != 0;

    public string Format(ulong position) => new Lsn(position).ToString();
}
