using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class LogWriterResumeTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<Codec> Codecs => [Codec.Zstd, Codec.Gzip, Codec.None];

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task A_new_writer_goes_on_where_the_chunks_end_and_puts_none_of_their_bytes_again(Codec codec)
    {
        var bench = await WithChunksAsync(codec, 1_000, 2_000, 3_000);
        var before = await bench.KeysAsync();
        await using var writer = await bench.ResumeAsync();

        await writer.FlushToAsync(4_000);

        (await bench.KeysAsync()).Except(before).Count(k => !k.EndsWith(".seal", StringComparison.Ordinal)).ShouldBe(1);
        (await bench.ChunksAsync()).Max(c => c.Range.Start).ShouldBe(3_000ul);
        (await bench.RestoreAsync()).ShouldBe(bench.Content[..4_000]);
        await writer.AppendToAsync(1 << 20);
        await writer.CompleteAsync();
        (await bench.ChunksAsync()).ShouldBeEmpty();
        (await bench.RestoreAsync()).ShouldBe(bench.Content);
    }

    [Fact]
    public async Task Chunks_of_another_codec_are_compared_and_removed_like_others()
    {
        var plain = await WithChunksAsync(Codec.None, 1_000, 2_000);
        var bench = new LogBench(plain.Store, plain.Content, Codec.Zstd);
        await using var writer = await bench.ResumeAsync();

        await writer.AppendToAsync(1 << 20);
        await writer.CompleteAsync();

        (await bench.KeysAsync()).ShouldBe(["source/log/A1_00000000.zst"]);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Held_bytes_are_acknowledged_only_when_they_were_compared(Codec codec)
    {
        var bench = await WithChunksAsync(codec, 1_000, 2_000);
        bench.Content[1_500] ^= 1;
        await using var writer = await bench.ResumeAsync();
        await writer.AppendToAsync(1_999);
        await writer.Observer.UntilAsync(1_999);
        await writer.UntilDurableAsync(1_000);

        writer.Writer.DurablePosition.ShouldBe(1_000ul);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Another_log_at_the_same_positions_is_refused_and_nothing_is_changed(Codec codec)
    {
        var bench = await WithChunksAsync(codec, 1_000, 2_000);
        var before = await bench.KeysAsync();
        bench.Content[1_999] ^= 1;
        await using var writer = await bench.ResumeAsync();
        await writer.AppendToAsync(3_000);
        writer.Writer.RequestFlush();

        var refusal = await Should.ThrowAsync<LogDivergedException>(() => writer.Writer.Completion);

        refusal.Message.ShouldContain("source/log/tail/A1-00000000000003e8-00000000000007d0");
        (await bench.KeysAsync()).ShouldBe(before);
        writer.Writer.DurablePosition.ShouldBe(1_000ul);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task Another_log_is_refused_when_a_whole_segment_has_its_name(Codec codec)
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 1 << 20), codec);
        await using (var writer = bench.Open())
        {
            await writer.AppendToAsync(1 << 20);
            await writer.CompleteAsync();
        }

        var (before, original) = (await bench.KeysAsync(), bench.Content.ToArray());
        bench.Content[77] ^= 1;
        await using (var writer = bench.Open())
        {
            await writer.AppendToAsync(1 << 20);
            await Should.ThrowAsync<LogDivergedException>(() => writer.Writer.CompleteAsync());
        }

        (await bench.KeysAsync()).ShouldBe(before);
        (await bench.RestoreAsync()).ShouldBe(original);
    }

    [Fact]
    public async Task A_damaged_chunk_is_not_acknowledged_and_the_next_chunk_holds_its_bytes_again()
    {
        var bench = await WithChunksAsync(Codec.Zstd, 1_000, 2_000, 3_000);
        await DamageAsync(bench, (await bench.ChunksAsync()).Single(c => c.Range.Start == 1_000).Key);
        await using var writer = await bench.ResumeAsync();
        await writer.AppendToAsync(3_000);
        await writer.UntilDurableAsync(1_000);
        await writer.Observer.UntilAsync(3_000);
        writer.Writer.DurablePosition.ShouldBe(1_000ul);

        await writer.FlushToAsync(3_001);
        await writer.CompleteAsync();

        (await bench.ChunksAsync()).ShouldHaveSingleItem().Range.ShouldBe(new LogRange(0, 3_001));
        (await bench.RestoreAsync()).ShouldBe(bench.Content[..3_001]);
    }

    [Fact]
    public async Task A_hole_between_chunks_is_filled_before_anything_behind_it_counts()
    {
        var bench = await WithChunksAsync(Codec.Zstd, 1_000, 2_000, 3_000);
        await bench.Archive.RemoveAsync([(await bench.ChunksAsync()).Single(c => c.Range.Start == 1_000)], None);
        await using var writer = await bench.ResumeAsync();
        await writer.AppendToAsync(2_999);
        await writer.Observer.UntilAsync(2_999);
        await writer.UntilDurableAsync(1_000);
        writer.Writer.DurablePosition.ShouldBe(1_000ul);

        await writer.FlushToAsync(3_500);

        (await bench.RestoreAsync()).ShouldBe(bench.Content[..3_500]);
    }

    [Fact]
    public async Task A_large_open_segment_that_comes_again_takes_no_more_memory_than_a_small_one()
    {
        var content = new byte[48 << 20];
        new Random(3).NextBytes(content);
        var bench = new LogBench(new MemoryObjectStore(), content, Codec.None, segmentBytes: 64 << 20);
        var options = new LogWriterOptions { FlushBytes = 1 << 20 };
        await using (var first = bench.Open(options: options))
        {
            for (var end = 1ul << 20; end <= 48 << 20; end += 1 << 20)
            {
                await first.AppendToAsync(end);
            }

            await first.CompleteAsync();
        }

        var before = await bench.KeysAsync();
        await using var writer = await bench.ResumeAsync(options);
        for (var end = 1ul << 20; end <= 48 << 20; end += 1 << 20)
        {
            await writer.AppendToAsync(end);
        }

        await writer.UntilDurableAsync(48 << 20);
        writer.Writer.LargestStretchBytes.ShouldBeLessThan(24 << 20);
        (await bench.KeysAsync()).ShouldBe(before);
    }

    private static async Task<LogBench> WithChunksAsync(Codec codec, params ulong[] ends)
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 1 << 20), codec);
        await using var writer = bench.Open();
        foreach (var end in ends)
        {
            await writer.FlushToAsync(end);
        }

        return bench;
    }

    private static async Task DamageAsync(LogBench bench, ObjectKey key)
    {
        var bytes = await bench.Store.ReadAllAsync(key, None);
        bytes[^1] ^= 1;
        await bench.Store.ReplaceAsync(key, bytes, None);
    }
}
