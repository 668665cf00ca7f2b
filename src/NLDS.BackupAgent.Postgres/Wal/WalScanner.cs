using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// Reads write-ahead log of PostgreSQL 14 to 18 as it passes by, in pieces of any size, and tells which records are complete, which transactions ended
/// and which restore points were made. It keeps no more than one record's first bytes, allocates nothing for a record (but a restore point's name),
/// and never throws for what it reads: where the log makes no sense it stops with <see cref="Fault"/>, where it just ends with <see cref="EndOfWal"/>.
/// Its answers do not depend on how the bytes are cut. Not for concurrent use.
/// </summary>
internal sealed class WalScanner
{
    /// <summary>Records start at multiples of this (MAXALIGN on every 64-bit platform).</summary>
    private const int Alignment = 8;

    private const int RestorePointNameBytes = 64;

    private readonly uint segmentBytes;
    private readonly WalRecordBuffer record;

    /// <summary>The bytes so far of a page header that comes in pieces.</summary>
    private readonly byte[] pageHeader = new byte[WalPageHeader.LongBytes];
    private int pageHeaderFilled;

    /// <summary>Of the first page; 0 before that.</summary>
    private ushort magic;

    /// <summary>Of the first segment that was fed from its start; 0 before that.</summary>
    private ulong systemIdentifier;

    private State state = State.RecordHeader;
    private ulong recordStart;

    /// <summary>What is still to come of the current record with its padding; 0 between records and before a record's length is known.</summary>
    private long left;

    /// <summary>How much of <see cref="left"/> is padding.</summary>
    private int padding;

    /// <summary>The page said that it gives up a record, and its first record must say so too.</summary>
    private bool expectsOverwrite;

    /// <param name="start">The WAL position of the first byte that will be fed: the start of a page, usually of a segment.</param>
    /// <param name="segmentBytes">The cluster's <c>wal_segment_size</c>.</param>
    /// <param name="verifyChecksums">Also verify each record's CRC. Costs a reading of every byte.</param>
    public WalScanner(ulong start, uint segmentBytes, bool verifyChecksums = false)
    {
        if (segmentBytes < WalPageHeader.PageBytes || !BitOperations.IsPow2(segmentBytes))
        {
            throw new ArgumentOutOfRangeException(nameof(segmentBytes), segmentBytes, "A segment is a power of two and holds at least one page.");
        }

        if (start % WalPageHeader.PageBytes != 0)
        {
            throw new ArgumentException($"A scan starts where a page does, which {WalPosition.Format(start)} is not.", nameof(start));
        }

        this.segmentBytes = segmentBytes;
        record = new WalRecordBuffer(verifyChecksums);
        Position = start;
    }

    private enum State
    {
        /// <summary>At a record's start or within its header.</summary>
        RecordHeader,

        RecordBody,

        /// <summary>In the rest of a record that began before the first byte fed.</summary>
        UnknownRecord,

        /// <summary>Behind a switch record, where nothing means anything until the next segment.</summary>
        RestOfSegment,

        Stopped,
    }

    /// <summary>Told of every commit and abort, in the order of their records, from within <see cref="Feed"/>. Must not throw.</summary>
    public Action<TransactionEnd>? TransactionEnded { get; init; }

    /// <summary>Told of every restore point, likewise.</summary>
    public Action<RestorePoint>? RestorePointMade { get; init; }

    /// <summary>The position of the next byte expected; after a stop, the position of that.</summary>
    public ulong Position { get; private set; }

    /// <summary>The start of the last record of which every byte was fed (and, where asked for, verified); 0 before the first.</summary>
    public ulong LastRecordStart { get; private set; }

    /// <summary>
    /// The end of that record with its padding: what can be restored of the bytes fed so far. A switch record ends where it ends, not with its segment.
    /// 0 before the first.
    /// </summary>
    public ulong LastRecordEnd { get; private set; }

    /// <summary>How many records were complete.</summary>
    public long Records { get; private set; }

    /// <summary>The timeline of the last page; 0 before the first.</summary>
    public uint Timeline { get; private set; }

    /// <summary>What made no sense, when something did not. The scan has stopped there.</summary>
    public WalStop? Fault { get; private set; }

    /// <summary>
    /// Where the log ends although there are more bytes: no record has been written there (zeros), or a former life of the segment shows (an older page).
    /// The scan has stopped there.
    /// </summary>
    public WalStop? EndOfWal { get; private set; }

    /// <summary>What is still to come of the current record without its padding, as page headers count it.</summary>
    private long UnpaddedLeft => left == 0 ? 0 : left - padding;

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && state != State.Stopped)
        {
            bytes = bytes[Take(bytes)..];
        }
    }

    /// <summary>Takes what comes next: unused space, a page's header or a page's content. Returns how much that was.</summary>
    private int Take(ReadOnlySpan<byte> bytes)
    {
        if (state == State.RestOfSegment)
        {
            return TakeRestOfSegment(bytes);
        }

        var pageOffset = (int)(Position % WalPageHeader.PageBytes);
        var headerBytes = WalPageHeader.BytesAt(Position - (uint)pageOffset, segmentBytes);
        return pageOffset < headerBytes
            ? TakePageHeader(bytes, headerBytes)
            : TakeContent(bytes[..Math.Min(bytes.Length, WalPageHeader.PageBytes - pageOffset)]);
    }

    private int TakeRestOfSegment(ReadOnlySpan<byte> bytes)
    {
        var unused = segmentBytes - (uint)(Position & (segmentBytes - 1));
        var taken = (int)Math.Min(unused, (uint)bytes.Length);
        Position += (uint)taken;
        if (taken == unused)
        {
            state = State.RecordHeader;
        }

        return taken;
    }

    private int TakePageHeader(ReadOnlySpan<byte> bytes, int headerBytes)
    {
        var taken = Math.Min(bytes.Length, headerBytes - pageHeaderFilled);
        bytes[..taken].CopyTo(pageHeader.AsSpan(pageHeaderFilled));
        pageHeaderFilled += taken;
        Position += (uint)taken;
        if (pageHeaderFilled == headerBytes)
        {
            pageHeaderFilled = 0;
            BeginPage(pageHeader.AsSpan(0, headerBytes), Position - (uint)headerBytes);
        }

        return taken;
    }

    private void BeginPage(ReadOnlySpan<byte> bytes, ulong start)
    {
        var page = WalPageHeader.Read(bytes);
        if (!bytes.ContainsAnyExcept((byte)0))
        {
            StopAtEnd(start, "the page was never written");
            return;
        }

        if (page.MajorVersion is not null && page.Address < start)
        {
            StopAtEnd(start, $"the page is left over from {WalPosition.Format(page.Address)}");
            return;
        }

        if ((page.FindFault(start, segmentBytes) ?? FindContradiction(page)) is { } fault)
        {
            StopAtFault(start, $"the page is damaged: {fault}");
            return;
        }

        if (page.AbandonsRecord)
        {
            left = 0;
            record.Clear();
            state = State.RecordHeader;
        }
        else if (magic == 0 && page.ContinuesRecord)
        {
            left = Align(page.RemainingBytes);
            padding = (int)(left - page.RemainingBytes);
            state = State.UnknownRecord;
        }

        expectsOverwrite = page.AbandonsRecord;
        magic = page.Magic;
        Timeline = page.Timeline;
        if (page.IsLong)
        {
            systemIdentifier = page.SystemIdentifier;
        }
    }

    /// <summary>What does not fit between a page's header, sound in itself, and what came before it; null when all does.</summary>
    private string? FindContradiction(WalPageHeader page) => page switch
    {
        _ when magic == 0 => null,
        _ when page.Magic != magic => $"its magic number is {page.Magic:X4} and that of the pages before it {magic:X4}",
        _ when page.Timeline < Timeline => $"it is of timeline {page.Timeline} and the page before it is of {Timeline}",
        { IsLong: true } when systemIdentifier != 0 && page.SystemIdentifier != systemIdentifier =>
            $"it is of the cluster {page.SystemIdentifier} and the segment before it is of {systemIdentifier}",
        { AbandonsRecord: true } => null,
        _ when page.RemainingBytes != UnpaddedLeft =>
            $"it has {page.RemainingBytes} bytes of the record that goes on from the page before, which lacks {UnpaddedLeft}",
        _ => null,
    };

    /// <summary>Walks the records in the content of one page, or in as much of it as has come.</summary>
    private int TakeContent(ReadOnlySpan<byte> content)
    {
        var taken = 0;
        while (taken < content.Length && state is State.RecordHeader or State.RecordBody or State.UnknownRecord)
        {
            var rest = content[taken..];
            taken += state == State.RecordHeader ? TakeRecordHeader(rest) : TakeRecordBody(rest);
        }

        return taken;
    }

    private int TakeRecordHeader(ReadOnlySpan<byte> bytes)
    {
        if (record.IsEmpty)
        {
            recordStart = Position;
        }

        var knewLength = record.HasLength;
        var taken = record.AddHeader(bytes);
        Position += (uint)taken;
        if (knewLength)
        {
            left -= taken;
        }
        else if (record.HasLength && !BeginRecord(record.Header.TotalBytes))
        {
            return taken;
        }

        if (record.HasHeader)
        {
            BeginBody(record.Header.Previous);
        }

        return taken;
    }

    /// <summary>
    /// Looks at a record's length as soon as it is there: a page ends behind it at the earliest, and the next page's header is checked against it.
    /// </summary>
    private bool BeginRecord(uint totalBytes)
    {
        if (totalBytes == 0)
        {
            StopAtEnd(recordStart, "no record was written there");
            return false;
        }

        if (totalBytes < WalRecordHeader.Bytes)
        {
            StopAtFault(recordStart, $"a record cannot be {totalBytes} bytes long");
            return false;
        }

        left = Align(totalBytes) - (long)(Position - recordStart);
        padding = (int)(Align(totalBytes) - totalBytes);
        return true;
    }

    private void BeginBody(ulong previous)
    {
        if (previous >= recordStart || (LastRecordStart != 0 && previous != LastRecordStart))
        {
            StopAtFault(
                recordStart, $"the record says that the one before it starts at {WalPosition.Format(previous)}; the last one read is {WalPosition.Format(LastRecordStart)}");
            return;
        }

        if (expectsOverwrite && record.Kind != WalRecordKind.OverwriteContinuation)
        {
            StopAtFault(recordStart, "the page gives up a record that was lost in a crash, but does not begin with the record that says so");
            return;
        }

        expectsOverwrite = false;
        state = State.RecordBody;
        if (left == 0)
        {
            CompleteRecord();
        }
    }

    private int TakeRecordBody(ReadOnlySpan<byte> bytes)
    {
        var taken = (int)Math.Min(left, bytes.Length);
        if (state == State.RecordBody && !record.IgnoresBody)
        {
            record.AddBody(bytes[..(int)Math.Min(taken, Math.Max(0, left - padding))]);
        }

        left -= taken;
        Position += (uint)taken;
        if (left > 0)
        {
            return taken;
        }

        if (state == State.RecordBody)
        {
            CompleteRecord();
        }
        else
        {
            state = State.RecordHeader;
        }

        return taken;
    }

    private void CompleteRecord()
    {
        if (!record.IsIntact())
        {
            StopAtFault(recordStart, "the record's checksum is wrong");
            return;
        }

        if (!Report())
        {
            StopAtFault(recordStart, $"the record ({record.Kind}) has no time in it");
            return;
        }

        LastRecordStart = recordStart;
        LastRecordEnd = Position;
        Records++;
        var isRestUnused = record.Kind == WalRecordKind.Switch && (Position & (segmentBytes - 1)) != 0;
        state = isRestUnused ? State.RestOfSegment : State.RecordHeader;
        record.Clear();
    }

    /// <summary>Tells of the current record where it is of a kind to tell of. False when it does not hold what its kind must.</summary>
    private bool Report() => record.Kind switch
    {
        WalRecordKind.Commit => ReportTransaction(record.MainData(sizeof(long)), isCommit: true),
        WalRecordKind.Abort => ReportTransaction(record.MainData(sizeof(long)), isCommit: false),
        WalRecordKind.RestorePoint => ReportRestorePoint(record.MainData(sizeof(long) + RestorePointNameBytes)),
        _ => true,
    };

    private bool ReportTransaction(ReadOnlySpan<byte> data, bool isCommit)
    {
        if (data.IsEmpty)
        {
            return false;
        }

        TransactionEnded?.Invoke(new TransactionEnd(recordStart, Position, BinaryPrimitives.ReadInt64LittleEndian(data), isCommit));
        return true;
    }

    private bool ReportRestorePoint(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
        {
            return false;
        }

        if (RestorePointMade is { } tell)
        {
            var name = data[sizeof(long)..];
            var length = name.IndexOf((byte)0) is >= 0 and var end ? end : name.Length;
            tell(new RestorePoint(recordStart, Position, BinaryPrimitives.ReadInt64LittleEndian(data), Encoding.UTF8.GetString(name[..length])));
        }

        return true;
    }

    private void StopAtEnd(ulong at, string reason) => EndOfWal = Stop(at, reason);

    private void StopAtFault(ulong at, string reason) => Fault = Stop(at, reason);

    private WalStop Stop(ulong at, string reason)
    {
        state = State.Stopped;
        Position = at;
        return new WalStop(at, reason);
    }

    private static long Align(uint bytes) => ((long)bytes + Alignment - 1) & -Alignment;
}
