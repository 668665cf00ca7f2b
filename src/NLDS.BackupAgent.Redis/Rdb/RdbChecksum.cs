using System.Buffers.Binary;

namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>Holds the last nine bytes of an RDB file against the rest: the end opcode, and the CRC-64 of everything up to and with it (versions 5 and later).</summary>
internal sealed class RdbChecksum
{
    private const int TrailerBytes = 9;
    private const byte EndOpcode = 0xff;

    private readonly byte[] last = new byte[TrailerBytes];
    private int lastBytes;
    private ulong crc;

    public long Bytes { get; private set; }

    /// <summary>True once the bytes so far end as a whole file does.</summary>
    public bool IsComplete => lastBytes == TrailerBytes && last[0] == EndOpcode && (IsUnchecked || Stated == CrcWithEnd);

    /// <summary>The server writes zero when its rdbchecksum is off.</summary>
    public bool IsUnchecked => Stated == 0;

    private ulong Stated => BinaryPrimitives.ReadUInt64LittleEndian(last.AsSpan(1));

    private ulong CrcWithEnd => Crc64.Append(crc, last.AsSpan(0, 1));

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        Bytes += bytes.Length;
        if (bytes.Length >= TrailerBytes)
        {
            crc = Crc64.Append(Crc64.Append(crc, last.AsSpan(0, lastBytes)), bytes[..^TrailerBytes]);
            bytes[^TrailerBytes..].CopyTo(last);
            lastBytes = TrailerBytes;
            return;
        }

        var leaving = Math.Max(0, lastBytes + bytes.Length - TrailerBytes);
        crc = Crc64.Append(crc, last.AsSpan(0, leaving));
        last.AsSpan(leaving, lastBytes - leaving).CopyTo(last);
        lastBytes -= leaving;
        bytes.CopyTo(last.AsSpan(lastBytes));
        lastBytes += bytes.Length;
    }

    /// <exception cref="InvalidDataException">It does not end as it must.</exception>
    public void RequireComplete()
    {
        if (lastBytes < TrailerBytes || last[0] != EndOpcode)
        {
            throw new InvalidDataException("the RDB file is cut short: it does not end with its end mark and checksum");
        }

        if (!IsComplete)
        {
            throw new InvalidDataException($"the RDB file's checksum is {Stated:x16} and its bytes have {CrcWithEnd:x16}");
        }
    }
}
