using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.Limits;
using NLDS.BackupAgent.Storage.Resilience;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Storage.Tests.Limits;

public sealed class LimitedObjectStoreTests : IDisposable
{
    private const int Rate = 64 << 10;
    private const int Part = ObjectWriter.MinimumPartBytes;

    /// <summary>Longer than any wait for the line, shorter than the time-outs of a call, which must not be advanced to.</summary>
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(15);

    private static readonly ObjectKey Key = new("large");
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly ManualClock clock = new();
    private readonly MemoryObjectStore memory = new();
    private readonly FaultyObjectStore faulty;
    private readonly LimitedObjectStore store;

    public LimitedObjectStoreTests()
    {
        faulty = new FaultyObjectStore(memory);
        var uploads = new BandwidthLimit(Rate, _ => { }, clock);
        var downloads = new BandwidthLimit(Rate, _ => { }, clock);
        var retrying = new RetryingObjectStore(
            faulty, new RetryOptions(), new StorageMetrics(meters: null), NullLogger<RetryingObjectStore>.Instance, clock, uploads.Charge);
        store = new LimitedObjectStore(retrying, new LimitsOptions(), uploads, downloads);
    }

    public void Dispose() => store.Dispose();

    [Fact]
    public async Task A_put_overtakes_the_parts_of_a_base_backup()
    {
        await using var upload = await store.BeginUploadAsync(Key, None);
        List<Task> parts = [.. Enumerable.Range(0, 4).Select(n => upload.PutPartAsync(n + 1, (long)n * Part, new byte[Part], None))];
        var chunk = store.PutIfAbsentAsync(new ObjectKey("tail/chunk"), new byte[Rate / 20], None);
        clock.Advance(TimeSpan.FromMilliseconds(150));
        (await chunk).ShouldBeTrue();
        parts.ShouldAllBe(part => !part.IsCompleted);
    }

    [Fact]
    public async Task A_log_keeps_its_pace_beside_a_base_backup_that_takes_all_the_rest()
    {
        await using var backup = await store.BeginUploadAsync(Key, None);
        List<Task> parts = [.. Enumerable.Range(0, 8).Select(n => backup.PutPartAsync(n + 1, (long)n * Part, new byte[Part], None))];
        for (var number = 0; number < 20; number++)
        {
            // Half of the line, a chunk a second: each is durable half a second after it was ready, and one slice of the backup.
            var chunk = store.PutIfAbsentAsync(new ObjectKey($"tail/{number}"), new byte[Rate / 2], None);
            clock.Advance(TimeSpan.FromMilliseconds(610));
            (await chunk).ShouldBeTrue();
            clock.Advance(TimeSpan.FromMilliseconds(390));
        }

        parts.ShouldAllBe(part => !part.IsCompleted);
    }

    [Fact]
    public async Task An_object_of_many_parts_is_written_at_the_ceiling()
    {
        await using var writer = new ObjectWriter(store, Key, Part);
        (await TimeAsync(WriteAsync(writer, 6 * Part))).TotalSeconds.ShouldBeInRange(479.8, 480);
        (await memory.HeadAsync(Key, None))!.Value.Bytes.ShouldBe(6 * Part);
    }

    [Fact]
    public async Task Bodies_are_read_at_the_ceiling_of_all_together()
    {
        await memory.PutIfAbsentAsync(Key, new byte[5 * Rate], None);
        var time = await TimeAsync(Task.WhenAll(ReadAsync(), ReadAsync(), ReadAsync()));
        time.TotalSeconds.ShouldBeInRange(14.7, 15);
    }

    [Fact]
    public async Task A_read_that_is_cancelled_while_it_waits_leaves_no_hole()
    {
        await memory.PutIfAbsentAsync(Key, new byte[Rate], None);
        await using var body = await store.OpenReadAsync(Key, 0, null, None);
        await body.ReadExactlyAsync(new byte[Rate / 10], None);
        using var cancellation = new CancellationTokenSource();
        var read = body.ReadAsync(new byte[10], cancellation.Token).AsTask();
        await clock.WaitForTimerAsync(Within);
        await cancellation.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => read);
        await Should.ThrowAsync<ObjectStoreException>(() => body.ReadAsync(new byte[10], None).AsTask());
    }

    [Fact]
    public async Task What_a_failed_try_sent_counts_too()
    {
        faulty.FailCall(1, Fault.Transient);
        (await TimeAsync(store.PutIfAbsentAsync(Key, new byte[10 * Rate], None))).TotalSeconds.ShouldBeInRange(9.8, 10.5);
        (await TimeAsync(store.ReplaceAsync(Key, new byte[1], None))).TotalSeconds.ShouldBeInRange(9, 10);
    }

    [Fact]
    public async Task Waiting_for_the_line_is_not_taken_for_a_store_that_does_not_answer()
    {
        // Ten minutes' worth, far beyond every time-out of a call.
        (await TimeAsync(store.PutIfAbsentAsync(Key, new byte[600 * Rate], None))).TotalSeconds.ShouldBeInRange(599.8, 600);
        faulty.Calls.ShouldBe(1);
    }

    [Fact]
    public async Task Without_a_ceiling_nobody_waits()
    {
        using var free = new LimitedObjectStore(memory, new LimitsOptions(), uploads: null, downloads: null);
        (await free.PutIfAbsentAsync(Key, new byte[100 * Rate], None)).ShouldBeTrue();
        await using var body = await free.OpenReadAsync(Key, 0, null, None);
        await body.CopyToAsync(Stream.Null);
        clock.AdvanceToNextTimer().ShouldBeFalse();
    }

    private static async Task WriteAsync(ObjectWriter writer, int bytes)
    {
        await writer.WriteAsync(new byte[bytes], None);
        await writer.SealAsync(None);
    }

    private async Task ReadAsync()
    {
        await using var body = await store.OpenReadAsync(Key, 0, null, None);
        await body.CopyToAsync(Stream.Null);
    }

    private async Task<TimeSpan> TimeAsync(Task transfers)
    {
        var began = clock.GetTimestamp();
        await clock.PassUntilAsync(CompletedAsync(transfers), Within);
        return clock.GetElapsedTime(began);
    }

    private static async Task<bool> CompletedAsync(Task task)
    {
        await task;
        return true;
    }
}
