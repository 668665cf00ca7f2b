using System.Buffers.Binary;
using System.Numerics;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>A record's CRC-32C, taken in pieces: first all that follows the header, then the header up to the checksum.</summary>
internal struct WalRecordChecksum
{
    /// <summary>That of all bytes so far; 0 for none.</summary>
    public uint Value { get; private set; }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        var crc = ~Value;
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (var one in bytes)
        {
            crc = BitOperations.Crc32C(crc, one);
        }

        Value = ~crc;
    }
}
