using System.Globalization;
using System.Text.RegularExpressions;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>A line of pg_waldump: a record as PostgreSQL reads it.</summary>
internal sealed partial record DumpedRecord(string Manager, uint TotalBytes, ulong Start, ulong End, string Description)
{
    public bool IsTransactionEnd => Manager == "Transaction" && (Description.StartsWith("COMMIT", StringComparison.Ordinal) || IsAbort);

    public bool IsRestorePoint => Description.StartsWith("RESTORE_POINT ", StringComparison.Ordinal);

    public string RestorePointName => Description["RESTORE_POINT ".Length..];

    private bool IsAbort => Description.StartsWith("ABORT", StringComparison.Ordinal);

    public TransactionEnd ToTransactionEnd() => new(Start, End, TimeMicroseconds(), !IsAbort);

    /// <summary>The dump says where records start; an end is where the next one starts, or before that one's page header, or is counted.</summary>
    public static DumpedRecord[] Parse(string dump, uint segmentBytes)
    {
        var lines = LinePattern().Matches(dump);
        lines.Count.ShouldBe(dump.Count(one => one == '\n'));
        var records = lines
            .Select(line => new DumpedRecord(
                line.Groups[1].Value, uint.Parse(line.Groups[2].Value, CultureInfo.InvariantCulture), Position(line.Groups[3].Value), 0, line.Groups[4].Value))
            .ToArray();
        for (var index = 0; index < records.Length; index++)
        {
            var record = records[index];
            var counted = record.CountEnd(segmentBytes);
            if (index + 1 < records.Length && record.Description != "SWITCH " && record.Description != "SWITCH")
            {
                var next = records[index + 1];
                var inPage = next.Start % 8192;
                var isFirstInPage = inPage == (ulong)WalPageHeader.BytesAt(next.Start - inPage, segmentBytes);
                if (!next.Description.StartsWith("OVERWRITE_CONTRECORD", StringComparison.Ordinal))
                {
                    counted.ShouldBe(isFirstInPage ? next.Start - inPage : next.Start);
                }
            }

            records[index] = record with { End = counted };
        }

        return records;
    }

    /// <summary>The position of the record's byte at <paramref name="offset"/>, over all page headers between.</summary>
    public ulong PositionOf(uint offset, uint segmentBytes)
    {
        var at = Start;
        while (true)
        {
            var room = 8192 - (at % 8192);
            if (offset < room)
            {
                return at + offset;
            }

            offset -= (uint)room;
            at += room;
            at += (uint)WalPageHeader.BytesAt(at, segmentBytes);
        }
    }

    private ulong CountEnd(uint segmentBytes) => (PositionOf(TotalBytes - 1, segmentBytes) + 8) & ~7UL;

    private long TimeMicroseconds()
    {
        var text = TimePattern().Match(Description).Value;
        var time = DateTimeOffset.ParseExact(
            text, "yyyy-MM-dd HH:mm:ss.ffffff 'UTC'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        return (time - new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero)).Ticks / TimeSpan.TicksPerMicrosecond;
    }

    private static ulong Position(string text)
    {
        var halves = text.Split('/');
        return (Convert.ToUInt64(halves[0], 16) << 32) + Convert.ToUInt64(halves[1], 16);
    }

    [GeneratedRegex(@"^rmgr: (\S+) +len \(rec/tot\): +\d+/ *(\d+), tx: +\d+, lsn: (\S+), prev \S+, desc: (.*)$", RegexOptions.Multiline)]
    private static partial Regex LinePattern();

    [GeneratedRegex(@"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} UTC")]
    private static partial Regex TimePattern();
}
