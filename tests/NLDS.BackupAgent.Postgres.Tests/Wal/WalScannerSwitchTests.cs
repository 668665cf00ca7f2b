using System.Buffers.Binary;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Tests.Wal;

/// <summary>A coincidence no server can be asked for: log written by hand, in segments of a single page.</summary>
public sealed class WalScannerSwitchTests
{
    private const int SegmentBytes = 8192;
    private const ulong Start = 10 * SegmentBytes;

    [Theory]
    [InlineData(24)]
    [InlineData(48)]
    public void A_switch_is_followed_by_the_next_segment_even_where_it_fills_its_own(int room)
    {
        var bytes = new byte[2 * SegmentBytes];
        WritePage(bytes, Start);
        WritePage(bytes.AsSpan(SegmentBytes), Start + SegmentBytes);
        var switchAt = SegmentBytes - room;
        WriteRecord(bytes, 40, totalBytes: switchAt - 40, info: 0, previous: 0);
        WriteRecord(bytes, switchAt, totalBytes: 24, info: 0x40, previous: Start + 40);
        WriteRecord(bytes, SegmentBytes + 40, totalBytes: 24, info: 0, previous: Start + (ulong)switchAt);

        for (var piece = 1; piece < 100; piece++)
        {
            var scan = WalScan.Of(bytes, Start, SegmentBytes, pieces: Enumerable.Repeat(piece, bytes.Length));
            scan.State.Records.ShouldBe(3);
            scan.LastRecordStart.ShouldBe(Start + SegmentBytes + 40);
            scan.EndOfWal!.Value.Position.ShouldBe(Start + SegmentBytes + 64);
        }
    }

    private static void WritePage(Span<byte> page, ulong address)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(page, 0xD110);
        page[2] = 2;
        page[4] = 1;
        BinaryPrimitives.WriteUInt64LittleEndian(page[8..], address);
        page[24] = 1;
        BinaryPrimitives.WriteInt32LittleEndian(page[32..], SegmentBytes);
        BinaryPrimitives.WriteInt32LittleEndian(page[36..], WalPageHeader.PageBytes);
    }

    private static void WriteRecord(Span<byte> bytes, int at, int totalBytes, byte info, ulong previous)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes[at..], totalBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[(at + 8)..], previous);
        bytes[at + 16] = info;
    }
}
