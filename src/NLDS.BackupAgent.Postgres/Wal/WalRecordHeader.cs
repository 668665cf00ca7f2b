using System.Buffers.Binary;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>What every record of write-ahead log begins with (<c>XLogRecord</c>).</summary>
internal readonly ref struct WalRecordHeader(ReadOnlySpan<byte> bytes)
{
    public const int Bytes = 24;

    /// <summary>The checksum is the header's last field and covers what stands before it.</summary>
    public const int ChecksumOffset = 20;

    private const byte XlogManager = 0;
    private const byte TransactionManager = 1;

    private readonly ReadOnlySpan<byte> bytes = bytes;

    /// <summary>The record's length with this header and without the padding behind it.</summary>
    public uint TotalBytes => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    /// <summary>Where the record before this one starts.</summary>
    public ulong Previous => BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);

    public uint Checksum => BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..]);

    /// <summary>The kinds that matter here; the resource manager's number and its four bits of <c>xl_info</c> tell them.</summary>
    public WalRecordKind Kind => bytes[17] switch
    {
        TransactionManager => (bytes[16] & 0x70) switch
        {
            0x00 or 0x30 => WalRecordKind.Commit,
            0x20 or 0x40 => WalRecordKind.Abort,
            _ => WalRecordKind.Other,
        },
        XlogManager => (bytes[16] & 0xF0) switch
        {
            0x40 => WalRecordKind.Switch,
            0x70 => WalRecordKind.RestorePoint,
            0xD0 => WalRecordKind.OverwriteContinuation,
            _ => WalRecordKind.Other,
        },
        _ => WalRecordKind.Other,
    };
}
