using System.Buffers;
using System.Globalization;
using System.Text;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Log;

public sealed class LogWriterTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    public static TheoryData<Codec, int> CodecsAndSeeds => new MatrixTheoryData<Codec, int>([Codec.Zstd, Codec.Gzip, Codec.None], [1, 2, 3, 4]);

    /// <summary>Text in which a slower level finds more than a faster one.</summary>
    private static byte[] Rows(int bytes)
    {
        var random = new Random(7);
        var rows = new StringBuilder(bytes + 64);
        while (rows.Length < bytes)
        {
            rows.Append(CultureInfo.InvariantCulture, $"{random.Next(5000):d6} customer {random.Next(200)} ordered {random.Next(30)} of article {random.Next(900):x8}\n");
        }

        return Encoding.ASCII.GetBytes(rows.ToString(0, bytes));
    }

    public static TheoryData<Codec> Codecs => [Codec.Zstd, Codec.Gzip, Codec.None];

    [Theory]
    [MemberData(nameof(CodecsAndSeeds))]
    public async Task Whatever_the_appends_and_flushes_segments_decode_to_the_log_and_their_chunks_are_gone(Codec codec, int seed)
    {
        var random = new Random(seed);
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(seed, (3 << 20) + 12_345), codec);
        await using var writer = bench.Open();
        while (writer.Writer.ReceivedPosition < (ulong)bench.Content.Length)
        {
            var step = random.Next(3) == 0 ? random.Next(1, 300_000) : random.Next(1, 9_000);
            await writer.AppendToAsync(Math.Min(writer.Writer.ReceivedPosition + (ulong)step, (ulong)bench.Content.Length));
            switch (random.Next(6))
            {
                case 0:
                    writer.Writer.RequestFlush();
                    break;
                case 1:
                    await writer.FlushToAsync(writer.Writer.ReceivedPosition);
                    break;
                case 2:
                    writer.Writer.Confirm(writer.Writer.ReceivedPosition, bench.Clock.GetUtcNow());
                    bench.Clock.Advance(TimeSpan.FromSeconds(random.Next(8)));
                    break;
                default:
                    break;
            }
        }

        await writer.CompleteAsync();

        writer.BrokeItsWord.ShouldBeFalse($"seed {seed}");
        writer.Acknowledged.ShouldBe((ulong)bench.Content.Length, $"seed {seed}");
        (await bench.RestoreAsync()).ShouldBe(bench.Content, $"seed {seed}");
        var inventory = await bench.Archive.ReadInventoryAsync(None);
        inventory.Pieces.Count(p => p.IsSegment).ShouldBe(3, $"seed {seed}");
        inventory.Pieces.Where(p => !p.IsSegment).ShouldAllBe(p => p.Range.Start >= 3 << 20, $"seed {seed}");
        foreach (var piece in inventory.Pieces)
        {
            await bench.Archive.CopyAsync(piece, Stream.Null, None);
        }
    }

    [Fact]
    public async Task A_segment_larger_than_a_part_goes_up_in_parts_and_decodes_to_the_log()
    {
        var content = new byte[20 << 20];
        new Random(5).NextBytes(content);
        var bench = new LogBench(new MemoryObjectStore(), content, segmentBytes: 20 << 20);
        await using var writer = bench.Open();
        writer.Writer.Confirm((ulong)content.Length, FakeObserver.Epoch);
        for (var end = 0ul; end < (ulong)content.Length;)
        {
            await writer.AppendToAsync(end = Math.Min(end + 131_072, (ulong)content.Length));
        }

        await writer.CompleteAsync();

        (await bench.ChunksAsync()).ShouldBeEmpty();
        (await bench.RestoreAsync()).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task What_has_arrived_goes_up_when_the_interval_has_passed()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 1000));
        await using var writer = bench.Open(options: new LogWriterOptions { FlushInterval = TimeSpan.FromSeconds(5) });
        await writer.AppendToAsync(500);
        await writer.Observer.UntilAsync(500);
        bench.Clock.Advance(TimeSpan.FromSeconds(4));
        writer.Acknowledged.ShouldBe(0ul);

        await writer.AdvanceUntilAsync(() => writer.Acknowledged == 500, TimeSpan.FromMilliseconds(100));

        (await bench.ChunksAsync()).ShouldHaveSingleItem().Range.ShouldBe(new LogRange(0, 500));
    }

    [Fact]
    public async Task Many_bytes_do_not_wait_for_the_interval()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 200_000));
        await using var writer = bench.Open(options: new LogWriterOptions { FlushBytes = 100_000 });

        await writer.AppendToAsync(100_000);

        await writer.UntilDurableAsync(100_000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_log_that_is_far_behind_its_source_is_compressed_in_a_hurry(bool isFarBehind)
    {
        var bench = new LogBench(new MemoryObjectStore(), Rows(1 << 20), segmentBytes: 16 << 20);
        await using var writer = bench.Open();
        writer.Writer.Announce(isFarBehind ? 16ul << 20 : 1 << 20);

        await writer.AppendToAsync(1 << 20);
        await writer.CompleteAsync();

        var (frame, other) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        using var encoder = ContentEncoder.Create(Codec.Zstd, level: 3, workers: 0);
        encoder.WriteFrame(bench.Content, isFarBehind, frame);
        encoder.WriteFrame(bench.Content, !isFarBehind, other);
        frame.WrittenSpan.SequenceEqual(other.WrittenSpan).ShouldBeFalse();
        var chunk = (await bench.ChunksAsync()).ShouldHaveSingleItem();
        (await bench.Store.ReadAllAsync(chunk.Key, None)).AsSpan().StartsWith(frame.WrittenSpan).ShouldBeTrue();
        (await bench.RestoreAsync()).ShouldBe(bench.Content);
    }

    [Fact]
    public async Task Bytes_that_will_fill_the_segment_by_themselves_are_not_put_twice()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new LogBench(store, LogBench.Random(1, 1 << 20));
        await using var writer = bench.Open(options: new LogWriterOptions { FlushBytes = 1000 });
        writer.Writer.Confirm(1 << 20, FakeObserver.Epoch);
        for (var end = 8192ul; end <= 1 << 20; end += 8192)
        {
            await writer.AppendToAsync(end);
        }

        await writer.UntilDurableAsync(1 << 20);
        store.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task A_synchronous_log_puts_whatever_came_while_the_chunk_before_it_was_on_its_way()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 50_000));
        await using var writer = bench.Open(options: new LogWriterOptions { Synchronous = true });
        for (var end = 100ul; end <= 50_000; end += 100)
        {
            await writer.AppendToAsync(end);
        }

        // The clock stands still: only the end of each chunk can have begun the next.
        await writer.UntilDurableAsync(50_000);
        (await bench.RestoreAsync()).ShouldBe(bench.Content);
    }

    [Fact]
    public async Task A_flush_that_is_asked_for_is_never_swallowed_by_the_one_before_it()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 300_000));
        await using var writer = bench.Open(options: new LogWriterOptions { FlushBytes = long.MaxValue });
        for (var end = 100ul; end <= 300_000; end += 100)
        {
            await writer.AppendToAsync(end);
            writer.Writer.RequestFlush();
        }

        await writer.UntilDurableAsync(300_000);
    }

    [Fact]
    public async Task Thousands_of_small_flushes_leave_a_bounded_number_of_chunks()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 200_000));
        await using var writer = bench.Open();
        var most = 0;
        for (var end = 50ul; end <= 200_000; end += 50)
        {
            await writer.FlushToAsync(end);
            most = end % 5_000 == 0 ? Math.Max(most, (await bench.KeysAsync()).Count) : most;
        }

        most.ShouldBeLessThanOrEqualTo(2 * 65);
        await writer.CompleteAsync();
        (await bench.ChunksAsync()).Count.ShouldBeLessThanOrEqualTo(65);
        (await bench.RestoreAsync()).ShouldBe(bench.Content);
    }

    [Fact]
    public async Task Marks_are_recorded_only_when_their_bytes_are_durable()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, (1 << 20) + 1000));
        await using var writer = bench.Open(observer: new FakeObserver(LogBench.Lineage, 0, 400, 700_000));
        await writer.AppendToAsync(500);
        await writer.Observer.UntilAsync(500);
        (await MarksAsync(bench)).ShouldBeEmpty();

        await writer.FlushToAsync(600);
        (await MarksAsync(bench)).ShouldBe(["400"]);

        await writer.AppendToAsync(1 << 20);
        await writer.UntilDurableAsync(1 << 20);
        (await MarksAsync(bench)).ShouldBe(["400", "700000"]);
    }

    [Fact]
    public async Task A_seal_says_which_event_times_its_piece_holds_and_as_of_when_it_is_complete()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 10_000));
        await using var writer = bench.Open();
        await writer.FlushToAsync(2_500);
        writer.Writer.Confirm(6_500, FakeObserver.Epoch.AddHours(1));
        writer.Writer.Confirm(6_501, FakeObserver.Epoch.AddHours(2));
        await writer.FlushToAsync(6_500);

        var seals = new List<LogSeal>();
        foreach (var chunk in (await bench.ChunksAsync()).OrderBy(c => c.Range.Start))
        {
            seals.Add(await bench.Archive.ReadSealAsync(chunk, None));
        }

        seals.Select(s => (s.Earliest, s.Latest, s.AsOf)).ShouldBe(
        [
            (FakeObserver.TimeAt(0), FakeObserver.TimeAt(2_000), null),
            (FakeObserver.TimeAt(3_000), FakeObserver.TimeAt(6_000), FakeObserver.Epoch.AddHours(1)),
        ]);
        seals.ShouldAllBe(s => s.HashedFrom == 0);
    }

    [Fact]
    public async Task An_idle_log_is_confirmed_again_and_again()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 1_000));
        await using var writer = bench.Open();
        await writer.FlushToAsync(1_000);
        writer.Writer.RecoverableUntil.ShouldBeNull();
        foreach (var hour in Enumerable.Range(1, 3))
        {
            var asOf = FakeObserver.Epoch.AddHours(hour);
            writer.Writer.Confirm(1_000, asOf);
            writer.Writer.RecoverableUntil.ShouldBe(asOf);
            LogConfirmation? confirmed = null;
            while (confirmed?.AsOf != asOf)
            {
                bench.Clock.Advance(TimeSpan.FromSeconds(1));
                confirmed = (await bench.Archive.ReadInventoryAsync(None)).Confirmation;
            }

            confirmed.ShouldBe(new LogConfirmation(LogBench.Lineage, 1_000, asOf));
        }
    }

    [Fact]
    public async Task What_is_not_yet_durable_is_not_confirmed()
    {
        var bench = new LogBench(new MemoryObjectStore(), LogBench.Random(1, 1_000));
        await using var writer = bench.Open();
        await writer.FlushToAsync(500);
        writer.Writer.Confirm(500, FakeObserver.Epoch);
        writer.Writer.Confirm(1_000, FakeObserver.Epoch.AddHours(1));

        await writer.CompleteAsync();

        (await bench.Archive.ReadInventoryAsync(None)).Confirmation.ShouldBe(new LogConfirmation(LogBench.Lineage, 500, FakeObserver.Epoch));
    }

    [Fact]
    public async Task A_failed_upload_ends_the_writer_without_the_clock_moving()
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new LogBench(store, LogBench.Random(1, 2_000));
        await using var writer = bench.Open();
        await writer.FlushToAsync(1_000);
        store.FailFrom(1, Fault.Permanent);

        await writer.AppendToAsync(2_000);
        writer.Writer.RequestFlush();

        await Should.ThrowAsync<ObjectStoreException>(() => writer.Writer.Completion);
        await Should.ThrowAsync<ObjectStoreException>(() => writer.Writer.AppendAsync(new byte[1], None).AsTask());
        writer.Writer.DurablePosition.ShouldBe(1_000ul);
    }

    [Fact]
    public async Task A_reader_that_waits_for_room_learns_of_a_failure()
    {
        var hung = new TaskCompletionSource();
        var store = new FaultyObjectStore(new MemoryObjectStore());
        store.FailWhen((call, _) => call == 1 ? Signal(hung) : Fault.Transient);
        var content = new byte[32 << 20];
        new Random(1).NextBytes(content);
        var bench = new LogBench(store, content, segmentBytes: 1 << 20);
        await using var writer = bench.Open();

        // The first segment hangs, the second fails, and the pipe is full behind them.
        await Should.ThrowAsync<ObjectStoreException>(async () =>
        {
            for (var end = 1ul << 17; end <= 32 << 20; end += 1 << 17)
            {
                await writer.AppendToAsync(end);
            }
        });
        await hung.Task;
    }

    [Fact]
    public async Task A_writer_whose_store_hangs_can_be_disposed_of_twice()
    {
        var hung = new TaskCompletionSource();
        var store = new FaultyObjectStore(new MemoryObjectStore());
        store.FailWhen((_, _) => Signal(hung));
        var bench = new LogBench(store, LogBench.Random(1, 1_000));
        var writer = bench.Open();
        await writer.AppendToAsync(1_000);
        writer.Writer.RequestFlush();
        await hung.Task;

        await writer.DisposeAsync();
        await writer.DisposeAsync();

        writer.Writer.DurablePosition.ShouldBe(0ul);
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public async Task A_put_whose_answer_was_lost_and_that_is_tried_again_has_succeeded(Codec codec)
    {
        var bench = new LogBench(new ForgetfulStore(new MemoryObjectStore()), LogBench.Random(1, 1 << 20), codec);
        await using var writer = bench.Open();
        await writer.FlushToAsync(1_000);
        await writer.AppendToAsync(1 << 20);

        await writer.CompleteAsync();

        (await bench.RestoreAsync()).ShouldBe(bench.Content);
        (await bench.ChunksAsync()).ShouldBeEmpty();
    }

    [Fact]
    public void A_log_cannot_begin_inside_a_segment_because_the_segment_would_lie()
    {
        var bench = new LogBench(new MemoryObjectStore(), []);

        Should.Throw<ArgumentException>(() => bench.Open(start: 5)).Message.ShouldContain("Begin at the start of a segment");
    }

    private static Fault? Signal(TaskCompletionSource hung)
    {
        hung.TrySetResult();
        return Fault.Hang;
    }

    private static async Task<List<string>> MarksAsync(LogBench bench)
    {
        var names = new List<string>();
        await foreach (var mark in bench.Archive.ReadMarksAsync(None))
        {
            names.Add(mark.Name);
        }

        return names;
    }
}
