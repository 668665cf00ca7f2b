using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Repository.Tests.Log;

/// <summary>Whatever the store does and whenever the process ends: what was acknowledged is there, and the next life completes the log.</summary>
public sealed class LogWriterFaultTests
{
    private const int SegmentBytes = 16 << 10;
    private const int LogBytes = (4 * SegmentBytes) + 777;

    public static TheoryData<Codec, Fault> CodecsAndFaults =>
        new MatrixTheoryData<Codec, Fault>([Codec.Zstd, Codec.Gzip, Codec.None], Enum.GetValues<Fault>());

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 400)];

    [Theory]
    [MemberData(nameof(CodecsAndFaults))]
    public async Task After_any_call_that_fails_nothing_acknowledged_is_lost_and_the_next_writer_completes_the_log(Codec codec, Fault fault)
    {
        var calls = await LiveAndResumeAsync(codec, fault, failing: int.MaxValue);
        calls.ShouldBeGreaterThan(20);
        for (var failing = 1; failing <= calls + 2; failing++)
        {
            await LiveAndResumeAsync(codec, fault, failing);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Whenever_it_crashes_nothing_acknowledged_is_lost_and_the_next_writer_completes_the_log(int seed)
    {
        var random = new Random(seed);
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var codec = (Codec)random.Next(3);
        var bench = new LogBench(store, LogBench.Random(seed, LogBytes), codec, SegmentBytes);
        var acknowledged = 0ul;
        for (var life = random.Next(1, 6); life > 0; life--)
        {
            await using (var writer = await bench.ResumeAsync(Options))
            {
                var (luck, dice) = (random.Next(3) == 0 ? random.Next(2, 60) : int.MaxValue, new Random(random.Next()));
                store.FailWhen((_, _) => luck != int.MaxValue && Roll(dice, luck) == 0 ? (Fault)Roll(dice, 5) : null);
                await LiveAsync(writer, random, until: (ulong)random.Next(LogBytes));
                acknowledged = Math.Max(acknowledged, writer.Acknowledged);
                writer.BrokeItsWord.ShouldBeFalse($"seed {seed}");
            }

            await store.HealAsync();
            var restored = await bench.RestoreAsync();
            ((ulong)restored.Length).ShouldBeGreaterThanOrEqualTo(acknowledged, $"seed {seed}: acknowledged bytes were lost");
            restored.AsSpan().SequenceEqual(bench.Content.AsSpan(0, restored.Length)).ShouldBeTrue($"seed {seed}");
        }

        await CompleteAsync(bench, $"seed {seed}");
    }

    private static LogWriterOptions Options { get; } = new() { FlushBytes = 3_000 };

    /// <returns>How many calls the store had in the first life.</returns>
    private static async Task<int> LiveAndResumeAsync(Codec codec, Fault fault, int failing)
    {
        var store = new FaultyObjectStore(new MemoryObjectStore());
        var bench = new LogBench(store, LogBench.Random(9, LogBytes), codec, SegmentBytes);
        var hung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        store.FailWhen((call, _) =>
        {
            if (call != failing)
            {
                return null;
            }

            hung.TrySetResult();
            return fault;
        });
        var acknowledged = 0ul;
        var because = $"call {failing} of a {codec} log failed as {fault}";
        await using (var writer = bench.Open(options: Options, observer: new FakeObserver(LogBench.Lineage, 0, 5_000, 20_000)))
        {
            var life = LiveToTheEndAsync(writer);
            await (fault == Fault.Hang ? Task.WhenAny(life, hung.Task) : life);
            await writer.DisposeAsync();
            await life;
            acknowledged = writer.Acknowledged;
            writer.BrokeItsWord.ShouldBeFalse(because);
        }

        var calls = store.Calls;
        await store.HealAsync();
        var restored = await bench.RestoreAsync();
        ((ulong)restored.Length).ShouldBeGreaterThanOrEqualTo(acknowledged, because);
        restored.AsSpan().SequenceEqual(bench.Content.AsSpan(0, restored.Length)).ShouldBeTrue(because);
        await CompleteAsync(bench, because);
        return calls;
    }

    private static async Task LiveToTheEndAsync(LogBench.LivingWriter writer)
    {
        try
        {
            for (var end = 1_500ul; end < LogBytes; end += 1_500)
            {
                await writer.AppendToAsync(end);
                if (end % 4_500 == 0)
                {
                    writer.Writer.Confirm(end, FakeObserver.TimeAt(end));
                    writer.Writer.RequestFlush();
                    await writer.UntilDurableAsync(end);
                }
            }

            await writer.AppendToAsync(LogBytes);
            await writer.CompleteAsync();
        }
        catch (Exception end) when (end is ObjectStoreException or OperationCanceledException or InvalidOperationException)
        {
        }
    }

    /// <summary>Lives until it has appended that much, then does not look back: whatever is on its way at that moment is cut off.</summary>
    private static async Task LiveAsync(LogBench.LivingWriter writer, Random random, ulong until)
    {
        try
        {
            while (writer.Writer.ReceivedPosition < until)
            {
                await writer.AppendToAsync(Math.Min(writer.Writer.ReceivedPosition + (ulong)random.Next(1, 4_000), LogBytes));
                if (random.Next(3) == 0)
                {
                    writer.Writer.RequestFlush();
                }

                if (random.Next(4) == 0)
                {
                    await Task.Yield();
                }
            }
        }
        catch (Exception end) when (end is ObjectStoreException or OperationCanceledException)
        {
        }
    }

    private static async Task CompleteAsync(LogBench bench, string because)
    {
        await using (var writer = await bench.ResumeAsync(Options))
        {
            if (writer.Writer.ReceivedPosition < LogBytes)
            {
                await writer.AppendToAsync(LogBytes);
            }

            await writer.CompleteAsync();
            writer.Acknowledged.ShouldBe((ulong)LogBytes, because);
        }

        (await bench.RestoreAsync()).AsSpan().SequenceEqual(bench.Content).ShouldBeTrue(because);
        foreach (var piece in (await bench.Archive.ReadInventoryAsync(CancellationToken.None)).Pieces)
        {
            await bench.Archive.CopyAsync(piece, Stream.Null, CancellationToken.None);
        }
    }

    private static int Roll(Random dice, int sides)
    {
        lock (dice)
        {
            return dice.Next(sides);
        }
    }
}
