using System.Buffers.Binary;
using System.Globalization;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>
/// What every page of write-ahead log begins with (<c>XLogPageHeaderData</c>, and <c>XLogLongPageHeaderData</c> on the first page of a segment),
/// as PostgreSQL 14 to 18 write it on little-endian machines.
/// </summary>
internal readonly record struct WalPageHeader
{
    /// <summary>XLOG_BLCKSZ, which no package of PostgreSQL has ever changed from its default.</summary>
    public const int PageBytes = 8192;

    public const int ShortBytes = 24;

    public const int LongBytes = 40;

    private const ushort FirstIsContinuation = 0x0001;
    private const ushort LongHeader = 0x0002;
    private const ushort BackupRemovable = 0x0004;
    private const ushort FirstIsOverwrite = 0x0008;
    private const ushort AllFlags = FirstIsContinuation | LongHeader | BackupRemovable | FirstIsOverwrite;

    private readonly ushort flags;

    private WalPageHeader(ReadOnlySpan<byte> bytes)
    {
        Magic = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        flags = BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]);
        Timeline = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        Address = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        RemainingBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]);
        if (bytes.Length >= LongBytes)
        {
            SystemIdentifier = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]);
            SegmentBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes[32..]);
            BlockBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes[36..]);
        }
    }

    /// <summary>Changes with the format of WAL, and so names the major version that wrote the page.</summary>
    public ushort Magic { get; }

    /// <summary>The timeline that the page was first written on; a new timeline's first segment begins with copied pages of the old one.</summary>
    public uint Timeline { get; }

    /// <summary>The WAL position of the page. In a recycled segment it is still that of the segment's former life.</summary>
    public ulong Address { get; }

    /// <summary>How much is left of the record that goes on from the page before, without its padding.</summary>
    public uint RemainingBytes { get; }

    /// <summary>On a segment's first page only, as the two below.</summary>
    public ulong SystemIdentifier { get; }

    public uint SegmentBytes { get; }

    public uint BlockBytes { get; }

    /// <summary>The page begins in the middle of a record.</summary>
    public bool ContinuesRecord => (flags & FirstIsContinuation) != 0;

    public bool IsLong => (flags & LongHeader) != 0;

    /// <summary>The record that went on here was lost in a crash; the page begins with another one, which says so.</summary>
    public bool AbandonsRecord => (flags & FirstIsOverwrite) != 0;

    /// <summary>The major version that writes this <see cref="Magic"/>, or null for one that is not known here.</summary>
    public int? MajorVersion => Magic switch
    {
        0xD10D => 14,
        0xD110 => 15,
        0xD113 => 16,
        0xD116 => 17,
        0xD118 => 18,
        _ => null,
    };

    /// <summary>The header's length on the page at <paramref name="position"/>.</summary>
    public static int BytesAt(ulong position, uint segmentBytes) => (position & (segmentBytes - 1)) == 0 ? LongBytes : ShortBytes;

    /// <summary>Reads a header of <see cref="BytesAt"/> bytes.</summary>
    public static WalPageHeader Read(ReadOnlySpan<byte> bytes) => new(bytes);

    /// <summary>
    /// Null when <paramref name="firstPage"/> is the first page of the segment at <paramref name="segmentStart"/>, written by the cluster
    /// <paramref name="systemIdentifier"/> with segments of <paramref name="segmentBytes"/>; otherwise what is wrong with it.
    /// </summary>
    public static string? Check(ReadOnlySpan<byte> firstPage, string systemIdentifier, uint segmentBytes, ulong segmentStart)
    {
        if (firstPage.Length < LongBytes)
        {
            return string.Create(CultureInfo.InvariantCulture, $"only {firstPage.Length} of the {LongBytes} bytes of its header are there");
        }

        var header = new WalPageHeader(firstPage[..LongBytes]);
        return header.FindFault(segmentStart, segmentBytes)
            ?? (header.SystemIdentifier.ToString(CultureInfo.InvariantCulture) == systemIdentifier
                ? null
                : string.Create(CultureInfo.InvariantCulture, $"it is of the cluster {header.SystemIdentifier}, not of {systemIdentifier}"));
    }

    /// <summary>What is wrong with this as the header of the page at <paramref name="position"/>, or null.</summary>
    public string? FindFault(ulong position, uint segmentBytes)
    {
        var needsLong = BytesAt(position, segmentBytes) == LongBytes;
        return this switch
        {
            { MajorVersion: null } => $"its magic number {Magic:X4} is of no version from 14 to 18",
            _ when Address != position => $"it says that it belongs at {WalPosition.Format(Address)}, not at {WalPosition.Format(position)}",
            _ when (flags & ~AllFlags) != 0 => $"its flags {flags:X4} are not known",
            { Timeline: 0 } => "it has no timeline",
            _ when IsLong != needsLong => needsLong ? "it lacks a segment's header" : "it has a segment's header in the middle of a segment",
            _ when ContinuesRecord != (RemainingBytes != 0) => $"it says both that a record goes on and that {RemainingBytes} bytes are left of it",
            { ContinuesRecord: true, AbandonsRecord: true } => "it says both that a record goes on and that it was given up",
            { SystemIdentifier: 0 } when needsLong => "it has no system identifier",
            _ when needsLong && SegmentBytes != segmentBytes => $"it is of segments of {SegmentBytes} bytes, not of {segmentBytes}",
            _ when needsLong && BlockBytes != PageBytes => $"it is of pages of {BlockBytes} bytes, not of {PageBytes}",
            _ => null,
        };
    }
}
