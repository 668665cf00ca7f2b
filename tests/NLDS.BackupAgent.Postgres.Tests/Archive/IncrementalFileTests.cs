using System.Buffers.Binary;
using NLDS.BackupAgent.Postgres.Archive;

namespace NLDS.BackupAgent.Postgres.Tests.Archive;

public sealed class IncrementalFileTests
{
    private const int Block = 8192;

    [Theory]
    [InlineData("base/5/INCREMENTAL.16385", null, "base/5/16385")]
    [InlineData("base/5/INCREMENTAL.16385.1", null, "base/5/16385.1")]
    [InlineData("base/5/INCREMENTAL.16385_vm", null, "base/5/16385_vm")]
    [InlineData("global/INCREMENTAL.1262", null, "global/1262")]
    [InlineData("PG_17_202406281/5/INCREMENTAL.16390", "16384", "PG_17_202406281/5/16390")]
    [InlineData("INCREMENTAL.mine", null, null)]
    [InlineData("pg_xact/INCREMENTAL.0000", null, null)]
    [InlineData("base/5/16385", null, null)]
    public void Only_relations_come_in_blocks(string name, string? tablespace, string? whole) => IncrementalFile.WholeNameOf(name, tablespace).ShouldBe(whole);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(4096)]
    [InlineData(1 << 20)]
    public void Blocks_go_where_they_belong_whatever_pieces_the_file_comes_in(int piece)
    {
        uint[] numbers = [0, 2, 3, 4, 9];
        var file = File(truncation: 6, numbers);
        var target = new byte[10 * Block];
        target.AsSpan().Fill(0xee);
        var part = new IncrementalFile(file.Length, Block);
        var headers = 0;

        for (var at = 0; at < file.Length; at += piece)
        {
            part.Feed(file.AsSpan(at, Math.Min(piece, file.Length - at)), () => headers++, (offset, bytes) => bytes.CopyTo(target.AsSpan((int)offset)));
        }

        headers.ShouldBe(1);
        (part.TruncatedBytes, part.WholeBytes).ShouldBe((6 * Block, 10 * Block));
        for (uint number = 0; number < 10; number++)
        {
            var expected = (byte)(numbers.Contains(number) ? number + 1 : 0xee);
            target.AsSpan((int)number * Block, Block).ContainsAnyExcept(expected).ShouldBeFalse($"block {number}");
        }
    }

    [Fact]
    public void A_file_without_blocks_tells_its_length_alone()
    {
        var file = File(truncation: 4, []);
        file.Length.ShouldBe(12);
        var part = new IncrementalFile(file.Length, Block);

        part.Feed(file, () => { }, (_, _) => Assert.Fail("There is no block."));

        part.WholeBytes.ShouldBe(4 * Block);
    }

    [Fact]
    public void A_header_of_more_than_a_block_is_read_whole()
    {
        uint[] numbers = [.. Enumerable.Range(0, 5000).Select(i => (uint)i * 2)];
        var file = File(truncation: 10_000, numbers);
        file.Length.ShouldBe((3 * Block) + (5000 * Block));
        var part = new IncrementalFile(file.Length, Block);
        var taken = 0L;

        part.Feed(file, () => { }, (offset, bytes) => taken += offset % (2 * Block) == 0 ? bytes.Length : 0);

        taken.ShouldBe(5000L * Block);
    }

    [Theory]
    [InlineData(0, 1u)]
    [InlineData(4, 3u)]
    [InlineData(4, 0u)]
    [InlineData(4, uint.MaxValue)]
    [InlineData(8, uint.MaxValue)]
    [InlineData(12, uint.MaxValue)]
    public void What_no_server_writes_is_refused(int at, uint word)
    {
        var file = File(truncation: 6, [0, 2]);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), word);
        var part = new IncrementalFile(file.Length, Block);

        Should.Throw<InvalidDataException>(() => part.Feed(file, () => { }, (_, _) => { }));
    }

    /// <summary>As the server writes it; the bytes of each block are its number and one.</summary>
    internal static byte[] File(uint truncation, uint[] numbers)
    {
        var header = 12 + (4 * numbers.Length);
        var file = new byte[numbers.Length == 0 ? header : ((header + Block - 1) / Block * Block) + (numbers.Length * Block)];
        uint[] words = [0xd3ae1f0d, (uint)numbers.Length, truncation, .. numbers];
        for (var i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(4 * i), words[i]);
        }

        for (var i = 0; i < numbers.Length; i++)
        {
            file.AsSpan(file.Length - ((numbers.Length - i) * Block), Block).Fill((byte)(numbers[i] + 1));
        }

        return file;
    }
}
