using System.Buffers.Binary;
using System.Numerics;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>
/// CRC-32C (Castagnoli, RFC 3720 B.4), by the processor's own instruction where it has one. One instruction takes three cycles but a new one can begin in each,
/// so three lanes are computed side by side and joined.
/// </summary>
public static class Crc32C
{
    /// <summary>Joining costs eight look-ups; over a kilobyte they vanish.</summary>
    private const int LaneBytes = 1024;

    /// <summary>What <see cref="LaneBytes"/> zero bytes do to each byte of the register. The register's update by zeros is linear over GF(2), so four look-ups replace them.</summary>
    private static readonly uint[][] LaneOfZeros = BuildLaneOfZeros();

    public static uint Compute(ReadOnlySpan<byte> bytes) => ~Append(uint.MaxValue, bytes);

    /// <summary>Goes on with a running value, which starts at all ones and is inverted at the end.</summary>
    public static uint Append(uint running, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 3 * LaneBytes)
        {
            running = AppendThreeLanes(running, bytes[..LaneBytes], bytes.Slice(LaneBytes, LaneBytes), bytes.Slice(2 * LaneBytes, LaneBytes));
            bytes = bytes[(3 * LaneBytes)..];
        }

        return AppendOneLane(running, bytes);
    }

    private static uint AppendThreeLanes(uint running, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        var (one, two, three) = (running, 0u, 0u);
        for (var i = 0; i < LaneBytes; i += 8)
        {
            one = BitOperations.Crc32C(one, BinaryPrimitives.ReadUInt64LittleEndian(first[i..]));
            two = BitOperations.Crc32C(two, BinaryPrimitives.ReadUInt64LittleEndian(second[i..]));
            three = BitOperations.Crc32C(three, BinaryPrimitives.ReadUInt64LittleEndian(third[i..]));
        }

        return PassLaneOfZeros(PassLaneOfZeros(one) ^ two) ^ three;
    }

    private static uint AppendOneLane(uint running, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            running = BitOperations.Crc32C(running, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes)
        {
            running = BitOperations.Crc32C(running, b);
        }

        return running;
    }

    private static uint PassLaneOfZeros(uint register) =>
        LaneOfZeros[0][register & 0xff]
        ^ LaneOfZeros[1][(register >> 8) & 0xff]
        ^ LaneOfZeros[2][(register >> 16) & 0xff]
        ^ LaneOfZeros[3][register >> 24];

    private static uint[][] BuildLaneOfZeros()
    {
        var zeros = new byte[LaneBytes];
        var tables = new uint[4][];
        for (var position = 0; position < 4; position++)
        {
            tables[position] = new uint[256];
            for (var value = 0; value < 256; value++)
            {
                tables[position][value] = AppendOneLane((uint)value << (8 * position), zeros);
            }
        }

        return tables;
    }
}
