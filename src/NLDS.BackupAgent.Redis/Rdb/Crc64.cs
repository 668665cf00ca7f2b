using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NLDS.BackupAgent.Redis.Rdb;

/// <summary>
/// CRC-64 as Redis computes it (crc64.c): Jones's polynomial 0xad93d23594c935a9, reflected, beginning with zero, without a final inversion. The check value of
/// "123456789" is 0xe9c6d914c4b8d9ca. By carry-less multiplication where the processor has it, else eight bytes at a time by tables ("slicing by 8").
/// </summary>
internal static class Crc64
{
    private const ulong ReflectedPolynomial = 0x95ac9329ac4bc9b5;
    private const int Slices = 8;

    /// <summary>Four registers of sixteen bytes at once: one multiplication takes several cycles but a new one can begin in each.</summary>
    private const int StrideBytes = 64;

    /// <summary>Below this the tables are as fast.</summary>
    private const int FoldedBytes = 4 * StrideBytes;

    private static readonly ulong[] Tables = MakeTables();
    private static readonly Vector128<ulong> PassStride = MakePass(8 * StrideBytes);
    private static readonly Vector128<ulong> PassRegister = MakePass(128);

    public static ulong Append(ulong crc, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= FoldedBytes && Pclmulqdq.IsSupported)
        {
            var whole = bytes.Length - (bytes.Length % StrideBytes);
            Span<byte> folded = stackalloc byte[16];
            Fold(crc, bytes[..whole], folded);
            crc = AppendByTables(0, folded);
            bytes = bytes[whole..];
        }

        return AppendByTables(crc, bytes);
    }

    internal static ulong AppendByTables(ulong crc, ReadOnlySpan<byte> bytes)
    {
        var tables = Tables.AsSpan();
        while (bytes.Length >= Slices)
        {
            var word = crc ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            crc = tables[(7 * 256) + (byte)word]
                ^ tables[(6 * 256) + (byte)(word >> 8)]
                ^ tables[(5 * 256) + (byte)(word >> 16)]
                ^ tables[(4 * 256) + (byte)(word >> 24)]
                ^ tables[(3 * 256) + (byte)(word >> 32)]
                ^ tables[(2 * 256) + (byte)(word >> 40)]
                ^ tables[256 + (byte)(word >> 48)]
                ^ tables[(byte)(word >> 56)];
            bytes = bytes[Slices..];
        }

        foreach (var value in bytes)
        {
            crc = tables[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return crc;
    }

    /// <summary>
    /// Sixteen bytes that have the same CRC, from zero on, as all of <paramref name="bytes"/> behind <paramref name="crc"/> ("Fast CRC Computation for Generic
    /// Polynomials Using PCLMULQDQ", Intel 2009).
    /// </summary>
    private static void Fold(ulong crc, ReadOnlySpan<byte> bytes, Span<byte> folded)
    {
        var words = MemoryMarshal.Cast<byte, Vector128<ulong>>(bytes);
        var (one, two, three, four) = (words[0] ^ Vector128.CreateScalar(crc), words[1], words[2], words[3]);
        var (stride, register) = (PassStride, PassRegister);
        for (words = words[4..]; words.Length >= 4; words = words[4..])
        {
            one = Pass(one, stride) ^ words[0];
            two = Pass(two, stride) ^ words[1];
            three = Pass(three, stride) ^ words[2];
            four = Pass(four, stride) ^ words[3];
        }

        two ^= Pass(one, register);
        three ^= Pass(two, register);
        four ^= Pass(three, register);
        four.AsByte().CopyTo(folded);
    }

    /// <summary>Moves a register forward over as many bytes as <paramref name="by"/> was made for.</summary>
    private static Vector128<ulong> Pass(Vector128<ulong> register, Vector128<ulong> by) =>
        Pclmulqdq.CarrylessMultiply(register, by, 0x00) ^ Pclmulqdq.CarrylessMultiply(register, by, 0x11);

    /// <summary>
    /// Reflected, a register's first half is the higher by 64 powers of x, and a product of two reflected numbers comes out one power too high.
    /// </summary>
    private static Vector128<ulong> MakePass(int bits) => Vector128.Create(PowerOfX(bits + 63), PowerOfX(bits - 1));

    /// <summary>x to the <paramref name="exponent"/>, modulo the polynomial, reflected.</summary>
    private static ulong PowerOfX(int exponent)
    {
        var power = 1UL << 63;
        for (var i = 0; i < exponent; i++)
        {
            power = TimesX(power);
        }

        return power;
    }

    private static ulong TimesX(ulong value) => (value & 1) != 0 ? (value >> 1) ^ ReflectedPolynomial : value >> 1;

    private static ulong[] MakeTables()
    {
        var tables = new ulong[Slices * 256];
        for (var i = 0; i < 256; i++)
        {
            var crc = (ulong)i;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = TimesX(crc);
            }

            tables[i] = crc;
        }

        for (var i = 256; i < tables.Length; i++)
        {
            tables[i] = tables[(byte)tables[i - 256]] ^ (tables[i - 256] >> 8);
        }

        return tables;
    }
}
