using System.Text;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>The 512 bytes before a file in a tar archive (POSIX ustar). Only plain files are written, and nothing else is accepted.</summary>
internal static class TarHeader
{
    public const int BlockBytes = 512;

    /// <summary>The name's field; longer ones are never written.</summary>
    private const int NameBytes = 100;

    /// <summary>Where mode, uid, gid, size, time, checksum, type and magic stand.</summary>
    private const int Mode = 100, Uid = 108, Gid = 116, Size = 124, Time = 136, Checksum = 148, Type = 156, Magic = 257;

    public static byte[] Write(string name, long bytes, DateTimeOffset modified)
    {
        var header = new byte[BlockBytes];
        Encoding.ASCII.GetBytes(name, header.AsSpan(0, NameBytes));
        Octal(header.AsSpan(Mode, 8), 0x1A0); // rw-r-----
        Octal(header.AsSpan(Uid, 8), 0);
        Octal(header.AsSpan(Gid, 8), 0);
        Octal(header.AsSpan(Size, 12), bytes);
        Octal(header.AsSpan(Time, 12), modified.ToUnixTimeSeconds());
        header[Type] = (byte)'0';
        "ustar\000"u8.CopyTo(header.AsSpan(Magic));
        Octal(header.AsSpan(Checksum, 7), Sum(header));
        header[Checksum + 7] = (byte)' ';
        return header;
    }

    /// <exception cref="InvalidDataException">It is no header of a plain file.</exception>
    public static (string Name, long Bytes) Read(ReadOnlySpan<byte> header)
    {
        if (!header.Slice(Magic, 5).SequenceEqual("ustar"u8) || Number(header.Slice(Checksum, 8)) != Sum(header))
        {
            throw new InvalidDataException("it is no tar archive, or a damaged one");
        }

        var name = Encoding.ASCII.GetString(header[..NameBytes]).TrimEnd('\0');
        return header[Type] == '0'
            ? (name, Number(header.Slice(Size, 12)))
            : throw new InvalidDataException($"its entry '{name}' is no plain file");
    }

    /// <summary>All of the header's bytes, with the checksum's own eight as spaces.</summary>
    private static long Sum(ReadOnlySpan<byte> header)
    {
        long sum = 0;
        for (var i = 0; i < BlockBytes; i++)
        {
            sum += i is >= Checksum and < Checksum + 8 ? ' ' : header[i];
        }

        return sum;
    }

    private static void Octal(Span<byte> field, long value)
    {
        for (var i = field.Length - 2; i >= 0; i--, value >>= 3)
        {
            field[i] = (byte)('0' + (value & 7));
        }

        if (value != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(value), "The number does not fit into a tar header.");
        }
    }

    private static long Number(ReadOnlySpan<byte> field)
    {
        long value = 0;
        foreach (var digit in field.TrimEnd("\0 "u8))
        {
            value = digit is >= (byte)'0' and <= (byte)'7' ? (value << 3) + (digit - '0') : throw new InvalidDataException("a number in a tar header is damaged");
        }

        return value;
    }
}
