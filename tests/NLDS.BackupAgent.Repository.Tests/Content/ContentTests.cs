using System.Buffers;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests.Content;

public sealed class ContentTests
{
    public static TheoryData<Codec, int> CodecsAndSizes => new MatrixTheoryData<Codec, int>(
        [Codec.Zstd, Codec.Gzip, Codec.None], [0, 1, 1_000, 131_072, 700_001]);

    [Theory]
    [MemberData(nameof(CodecsAndSizes))]
    public async Task Frames_one_behind_the_other_decode_to_the_content_whatever_the_size_of_the_reads(Codec codec, int bytes)
    {
        var content = Log.LogBench.Random(bytes, bytes);
        var stored = Encode(codec, content, frames: 3);
        foreach (var size in new[] { 1, 7, 65_536, 1 << 20 })
        {
            if (bytes / size > 200_000)
            {
                continue;
            }

            await using var decoded = ContentReader.Decode(codec, new MemoryStream(stored));
            using var target = new MemoryStream();
            var buffer = new byte[size];
            while (await decoded.ReadAsync(buffer) is var count && count > 0)
            {
                target.Write(buffer, 0, count);
            }

            target.ToArray().AsSpan().SequenceEqual(content).ShouldBeTrue($"reads of {size}");
        }
    }

    [Theory]
    [InlineData(Codec.Zstd, "zstd -dc")]
    [InlineData(Codec.Gzip, "gzip -dc")]
    public async Task The_codecs_own_tool_opens_it_even_when_it_is_empty(Codec codec, string tool)
    {
        using var directory = new TemporaryDirectory();
        foreach (var bytes in new[] { 0, 1, 300_000 })
        {
            var content = Log.LogBench.Random(bytes, bytes);
            await File.WriteAllBytesAsync(directory["stored"], Encode(codec, content, frames: 2));
            (await HandTools.RunAsync(directory.Path, tool + " < stored")).ShouldBe(content);
        }
    }

    [Theory]
    [MemberData(nameof(CodecsAndSizes))]
    public async Task Frames_written_at_once_and_in_turns_hurried_decode_to_the_content(Codec codec, int bytes)
    {
        var content = Log.LogBench.Random(bytes, bytes);
        var stored = new ArrayBufferWriter<byte>();
        using var encoder = ContentEncoder.Create(codec, level: 3, workers: 0);
        foreach (var (index, part) in content.Chunk(Math.Max(1, bytes / 3)).Index())
        {
            encoder.WriteFrame(part, hurried: index % 2 == 0, stored);
        }

        await using var decoded = ContentReader.Decode(codec, new MemoryStream(stored.WrittenSpan.ToArray()));
        using var target = new MemoryStream();
        await decoded.CopyToAsync(target);
        target.ToArray().AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task Zstandard_data_that_ends_inside_a_frame_is_damage_and_no_silent_end()
    {
        var stored = Encode(Codec.Zstd, Log.LogBench.Random(1, 2_000), frames: 1);
        for (var length = 1; length < stored.Length; length++)
        {
            await using var decoded = ContentReader.Decode(Codec.Zstd, new MemoryStream(stored, 0, length));
            await Should.ThrowAsync<InvalidDataException>(() => decoded.CopyToAsync(Stream.Null), $"cut to {length}");
        }
    }

    private static byte[] Encode(Codec codec, byte[] content, int frames)
    {
        var stored = new ArrayBufferWriter<byte>();
        using var encoder = ContentEncoder.Create(codec, level: 3, workers: 0);
        foreach (var part in content.Chunk(Math.Max(1, content.Length / frames)))
        {
            if (stored.WrittenCount > 0)
            {
                encoder.EndFrame(stored);
            }

            encoder.Write(part, stored);
        }

        encoder.End(stored);
        return stored.WrittenSpan.ToArray();
    }
}
