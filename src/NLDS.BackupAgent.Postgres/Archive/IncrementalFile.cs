using System.Buffers.Binary;

namespace NLDS.BackupAgent.Postgres.Archive;

/// <summary>Takes bytes that belong at an offset of a file; they are valid only during the call.</summary>
internal delegate void BlocksConsumer(long offset, ReadOnlySpan<byte> bytes);

/// <summary>
/// A file of an incremental backup that holds only some of a relation's blocks, read as it passes (PostgreSQL, <c>basebackup_incremental.h</c>, written by
/// <c>sendFile</c>, read by <c>pg_combinebackup/reconstruct.c</c>): magic, number of blocks, truncation length, block numbers, each 32 bits in the server's byte
/// order; where there are blocks, zeros up to a whole block; the blocks.
/// </summary>
/// <param name="bytes">Its size in the archive.</param>
/// <param name="blockBytes">The server's block_size.</param>
internal sealed class IncrementalFile(long bytes, int blockBytes)
{
    private const uint Magic = 0xd3ae1f0d;
    private const int FixedBytes = 3 * sizeof(uint);
    private const string Prefix = "INCREMENTAL.";

    /// <summary>Of a segment of a relation, in blocks: a server's build has 1 GB of 8 KB; any larger number is none of a file that can be written.</summary>
    private const uint MostBlocks = 1 << 27;

    private byte[] header = new byte[FixedBytes];
    private uint[]? blocks;
    private int filled;
    private long padding;
    private long taken;

    /// <summary>What the whole file's length is at least; blocks behind it make it longer.</summary>
    public long TruncatedBytes { get; private set; }

    /// <summary>The length of the whole file. Valid once the header has passed.</summary>
    public long WholeBytes { get; private set; }

    public bool HeaderIsRead => blocks is not null;

    /// <summary>
    /// The file that an entry holds blocks of: <c>base/5/16385.1</c> of <c>base/5/INCREMENTAL.16385.1</c>; null for an entry that is a file itself. Only relations
    /// come in blocks.
    /// </summary>
    public static string? WholeNameOf(string name, string? tablespaceOid)
    {
        var file = name.LastIndexOf('/') + 1;
        return name.AsSpan(file).StartsWith(Prefix)
            && (tablespaceOid is not null || name.StartsWith("base/", StringComparison.Ordinal) || name.StartsWith("global/", StringComparison.Ordinal))
                ? string.Concat(name.AsSpan(0, file), name.AsSpan(file + Prefix.Length))
                : null;
    }

    /// <param name="piece">The next bytes of the entry, however many.</param>
    /// <param name="headerRead">Called once, when lengths are known and before the first block.</param>
    /// <exception cref="InvalidDataException">It is not what the server writes.</exception>
    public void Feed(ReadOnlySpan<byte> piece, Action headerRead, BlocksConsumer take)
    {
        while (!piece.IsEmpty)
        {
            piece = piece[(blocks is null ? TakeHeader(piece, headerRead) : padding > 0 ? TakePadding(piece) : TakeBlocks(piece, take))..];
        }
    }

    private int TakeHeader(ReadOnlySpan<byte> piece, Action headerRead)
    {
        var count = Math.Min(header.Length - filled, piece.Length);
        piece[..count].CopyTo(header.AsSpan(filled));
        filled += count;
        if (filled == header.Length)
        {
            if (filled == FixedBytes && Word(1) > 0)
            {
                Array.Resize(ref header, checked((int)RequireNumbers()));
            }
            else
            {
                ParseHeader();
                headerRead();
            }
        }

        return count;
    }

    /// <summary>The bytes up to the end of the block numbers, when the file's size agrees.</summary>
    private long RequireNumbers()
    {
        var (count, numbers) = (Word(1), FixedBytes + ((long)Word(1) * sizeof(uint)));
        return count <= MostBlocks && RoundUp(numbers) + ((long)count * blockBytes) == bytes ? numbers : throw Odd("its size is not that of its blocks");
    }

    private void ParseHeader()
    {
        var count = (int)Word(1);
        if (Word(0) != Magic)
        {
            throw Odd("it does not begin with the mark of one; a server of another byte order writes such");
        }

        if (count == 0 && bytes != FixedBytes)
        {
            throw Odd("its size is not that of its blocks");
        }

        if (Word(2) > MostBlocks)
        {
            throw Odd("it has an impossible length");
        }

        var numbers = new uint[count];
        long length = Word(2);
        for (var i = 0; i < count; i++)
        {
            numbers[i] = Word(3 + i) < MostBlocks ? Word(3 + i) : throw Odd("it has an impossible block number");
            length = Math.Max(length, numbers[i] + 1L);
        }

        TruncatedBytes = Word(2) * (long)blockBytes;
        WholeBytes = length * blockBytes;
        padding = count == 0 ? 0 : RoundUp(header.Length) - header.Length;
        blocks = numbers;
        header = [];
    }

    private int TakePadding(ReadOnlySpan<byte> piece)
    {
        var count = (int)Math.Min(padding, piece.Length);
        padding -= count;
        return count;
    }

    /// <summary>As many at once as lie behind one another in the file too.</summary>
    private int TakeBlocks(ReadOnlySpan<byte> piece, BlocksConsumer take)
    {
        var (first, within) = ((int)(taken / blockBytes), (int)(taken % blockBytes));
        var (last, count) = (first, Math.Min(blockBytes - within, piece.Length));
        while (count < piece.Length && last + 1 < blocks!.Length && blocks[last + 1] == blocks[last] + 1)
        {
            last++;
            count = Math.Min(count + blockBytes, piece.Length);
        }

        take(((long)blocks![first] * blockBytes) + within, piece[..count]);
        taken += count;
        return count;
    }

    private uint Word(int index) => BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(index * sizeof(uint)));

    private long RoundUp(long count) => (count + blockBytes - 1) / blockBytes * blockBytes;

    private static InvalidDataException Odd(string what) => new($"an incremental file is not what a server writes: {what}");
}
