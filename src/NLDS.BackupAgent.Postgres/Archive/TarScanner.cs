using System.Text;

namespace NLDS.BackupAgent.Postgres.Archive;

/// <summary>What is in an archive, as it passes by.</summary>
internal interface ITarVisitor
{
    void Begin(TarEntry entry);

    void Content(ReadOnlySpan<byte> bytes);

    /// <summary>All of the entry's bytes were seen.</summary>
    void End();
}

/// <summary>
/// Reads a tar archive in pieces of any size: POSIX ustar (IEEE 1003.1, pax, "ustar Interchange Format") with base-256 sizes, which is all that PostgreSQL
/// writes. Anything else, and any name that would leave the target directory, is refused.
/// </summary>
internal sealed class TarScanner(ITarVisitor visitor)
{
    private const int BlockBytes = 512;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false);

    private readonly byte[] header = new byte[BlockBytes];
    private int headerFilled;
    private long contentLeft;
    private int paddingLeft;
    private bool insideEntry;
    private int zeroBlocks;

    /// <summary>True when the two zero blocks that end an archive have been seen.</summary>
    public bool IsComplete => zeroBlocks >= 2 && headerFilled == 0;

    /// <exception cref="InvalidDataException">This is not such an archive, or it is damaged or hostile.</exception>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[(contentLeft > 0 ? TakeContent(bytes) : paddingLeft > 0 ? TakePadding(bytes) : TakeHeader(bytes))..];
        }
    }

    /// <exception cref="InvalidDataException">The archive was cut short.</exception>
    public void RequireComplete()
    {
        if (!IsComplete)
        {
            throw new InvalidDataException("the tar archive ends before its end mark");
        }
    }

    private int TakeContent(ReadOnlySpan<byte> bytes)
    {
        var count = (int)Math.Min(contentLeft, bytes.Length);
        visitor.Content(bytes[..count]);
        contentLeft -= count;
        EndIfDone();
        return count;
    }

    private int TakePadding(ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(paddingLeft, bytes.Length);
        paddingLeft -= count;
        return count;
    }

    private int TakeHeader(ReadOnlySpan<byte> bytes)
    {
        var count = Math.Min(BlockBytes - headerFilled, bytes.Length);
        bytes[..count].CopyTo(header.AsSpan(headerFilled));
        headerFilled += count;
        if (headerFilled == BlockBytes)
        {
            headerFilled = 0;
            BeginEntry();
        }

        return count;
    }

    private void BeginEntry()
    {
        if (!header.AsSpan().ContainsAnyExcept((byte)0))
        {
            zeroBlocks++;
            return;
        }

        if (zeroBlocks > 0)
        {
            throw new InvalidDataException("the tar archive goes on behind its end mark");
        }

        var entry = ParseHeader(header);
        contentLeft = entry.Bytes;
        paddingLeft = (int)(-entry.Bytes & (BlockBytes - 1));
        insideEntry = true;
        visitor.Begin(entry);
        EndIfDone();
    }

    private void EndIfDone()
    {
        if (insideEntry && contentLeft == 0)
        {
            insideEntry = false;
            visitor.End();
        }
    }

    private static TarEntry ParseHeader(ReadOnlySpan<byte> block)
    {
        if (Number(block.Slice(148, 8), "checksum") != Checksum(block))
        {
            throw new InvalidDataException("a tar header does not have the checksum that it says");
        }

        var name = Text(block[..100]);
        if (block.Slice(257, 5).SequenceEqual("ustar"u8) && Text(block.Slice(345, 155)) is { Length: > 0 } prefix)
        {
            name = $"{prefix}/{name}";
        }

        var kind = block[156] switch
        {
            (byte)'0' or 0 => TarEntryKind.File,
            (byte)'5' => TarEntryKind.Directory,
            (byte)'2' => TarEntryKind.SymbolicLink,
            var type => throw new InvalidDataException($"the tar entry '{name}' has the type '{(char)type}', which a base backup does not have"),
        };
        var size = kind == TarEntryKind.File ? Number(block.Slice(124, 12), "size") : 0;
        return new TarEntry(
            Relative(name),
            kind,
            size,
            (int)Number(block.Slice(100, 8), "mode") & 0x1FF,
            UserNumber(block.Slice(108, 8), "uid"),
            UserNumber(block.Slice(116, 8), "gid"),
            Text(block.Slice(157, 100)));
    }

    /// <summary>Refuses whatever would be written outside of the target.</summary>
    private static string Relative(string name)
    {
        var trimmed = name.EndsWith('/') ? name[..^1] : name;
        trimmed = trimmed.StartsWith("./", StringComparison.Ordinal) ? trimmed[2..] : trimmed;
        if (trimmed.Length == 0 || trimmed.Contains('\\', StringComparison.Ordinal) || trimmed.Contains('\0', StringComparison.Ordinal)
            || trimmed.Split('/').Any(segment => segment is "" or "." or ".."))
        {
            throw new InvalidDataException($"the tar entry '{name}' would leave the directory that it is unpacked in");
        }

        return trimmed;
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return StrictUtf8.GetString(end < 0 ? field : field[..end]);
    }

    /// <summary>
    /// Octal digits, or base-256 behind a leading 0x80 (the GNU form, which PostgreSQL uses for sizes from 8 GiB on and for user numbers from 2,097,152 on, such
    /// as clusters with random users have).
    /// </summary>
    private static long Number(ReadOnlySpan<byte> field, string what)
    {
        long number = 0;
        if ((field[0] & 0x80) != 0)
        {
            foreach (var part in field[1..])
            {
                number = field[0] == 0x80 && number <= long.MaxValue >> 8
                    ? (number << 8) | part
                    : throw new InvalidDataException($"a tar header has an impossible {what}");
            }

            return number;
        }

        foreach (var digit in field.Trim(" \0"u8))
        {
            number = digit is >= (byte)'0' and <= (byte)'7'
                ? checked((number << 3) + (digit - '0'))
                : throw new InvalidDataException($"a tar header has a {what} that is no number");
        }

        return number;
    }

    /// <summary>Linux has 32 bits for it, and chown takes them as they are.</summary>
    private static int UserNumber(ReadOnlySpan<byte> field, string what) =>
        Number(field, what) is <= uint.MaxValue and var number ? unchecked((int)(uint)number) : throw new InvalidDataException($"a tar header has an impossible {what}");

    /// <summary>The sum of all bytes, the checksum's own taken as spaces.</summary>
    private static long Checksum(ReadOnlySpan<byte> block)
    {
        long sum = 8 * ' ';
        for (var i = 0; i < block.Length; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : block[i];
        }

        return sum;
    }
}
