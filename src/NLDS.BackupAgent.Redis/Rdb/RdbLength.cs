using System.Buffers.Binary;

namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>
/// A length in an RDB file. Its first two bits say how it is written: 00 six bits, 01 fourteen bits, 10 (0x80) four bytes or (0x81) eight bytes, big-endian, and 11 that
/// a string follows in a special encoding, which the other six bits name.
/// </summary>
/// <param name="Encoding">The encoding of the string, or -1 for a plain length.</param>
internal readonly record struct RdbLength(ulong Value, int Encoding)
{
    /// <summary>How many bytes a length takes that begins with this one; 0 for a byte that begins none.</summary>
    public static int Size(byte first) => (first >> 6, first) switch
    {
        (0 or 3, _) => 1,
        (1, _) => 2,
        (_, 0x80) => 5,
        (_, 0x81) => 9,
        _ => 0,
    };

    /// <param name="bytes">All of its bytes.</param>
    public static RdbLength Read(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        1 when bytes[0] >> 6 == 3 => new RdbLength(0, bytes[0] & 0x3f),
        1 => new RdbLength(bytes[0], -1),
        2 => new RdbLength(((ulong)(bytes[0] & 0x3f) << 8) | bytes[1], -1),
        5 => new RdbLength(BinaryPrimitives.ReadUInt32BigEndian(bytes[1..]), -1),
        _ => new RdbLength(BinaryPrimitives.ReadUInt64BigEndian(bytes[1..]), -1),
    };
}
