using NLDS.BackupAgent.Storage.Limits;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.Limits;

public sealed class BandwidthLimitTests : IDisposable
{
    private const int Rate = 1_000_000;
    private const int Slice = Rate / 10;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan SliceTime = TimeSpan.FromMilliseconds(100);

    private readonly ManualClock clock = new();
    private readonly BandwidthLimit limit;
    private TimeSpan waited;

    public BandwidthLimitTests() => limit = new BandwidthLimit(Rate, time => waited += time, clock);

    public void Dispose() => limit.Dispose();

    [Fact]
    public async Task A_minutes_worth_takes_a_minute_to_the_slice()
    {
        // The first slice goes at once, the last is on its way when the wait ends.
        (await TimeAsync(limit.TakeAsync(60L * Rate, false, None).AsTask())).ShouldBe(TimeSpan.FromMinutes(1) - SliceTime);
        waited.ShouldBe(TimeSpan.FromMinutes(1) - SliceTime);
    }

    [Theory]
    [InlineData(1_000_003)]
    [InlineData(65_537)]
    [InlineData(12_345_678_901)]
    public async Task No_rounding_adds_up(long rate)
    {
        using var odd = new BandwidthLimit(rate, _ => { }, clock);
        var time = await TimeAsync(odd.TakeAsync(1_000 * rate, false, None).AsTask());
        time.TotalSeconds.ShouldBe(1_000, tolerance: 0.2);
    }

    [Fact]
    public async Task Any_number_of_transfers_share_one_ceiling()
    {
        // 25 seconds' worth, in pieces of all sizes.
        var transfers = Enumerable.Range(0, 50).Select(number => limit.TakeAsync(10_000 + (number * 20_000), number % 3 == 0, None).AsTask());
        var time = await TimeAsync(Task.WhenAll(transfers));
        time.TotalSeconds.ShouldBeInRange(24.8, 25.0);
    }

    [Fact]
    public async Task An_idle_hour_saves_up_for_one_second()
    {
        clock.Advance(TimeSpan.FromHours(1));
        (await TimeAsync(limit.TakeAsync(5 * Rate, false, None).AsTask())).ShouldBe(TimeSpan.FromSeconds(4) - SliceTime);
    }

    [Fact]
    public async Task A_small_transfer_waits_for_its_turn_and_not_for_the_large_one_to_end()
    {
        var large = limit.TakeAsync(100 * Slice, false, None).AsTask();
        var small = limit.TakeAsync(Slice, false, None).AsTask();
        clock.Advance(2 * SliceTime);
        await small;
        large.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_urgent_goes_before_all_that_wait()
    {
        List<Task> ordinary = [.. Enumerable.Range(0, 20).Select(_ => limit.TakeAsync(10 * Slice, false, None).AsTask())];
        var urgent = limit.TakeAsync(Slice, true, None).AsTask();
        urgent.IsCompleted.ShouldBeFalse();
        clock.Advance(SliceTime);
        await urgent;
        ordinary.ShouldAllBe(transfer => !transfer.IsCompleted);
    }

    [Fact]
    public async Task One_that_is_cancelled_while_it_waits_costs_nothing()
    {
        using var cancellation = new CancellationTokenSource();
        await limit.TakeAsync(Slice, false, None);
        var cancelled = limit.TakeAsync(Slice, false, cancellation.Token).AsTask();
        var next = limit.TakeAsync(Slice, false, None).AsTask();
        await cancellation.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => cancelled);
        clock.Advance(SliceTime);
        await next;
    }

    [Fact]
    public async Task What_was_charged_is_waited_for_by_the_next()
    {
        limit.Charge(3 * Rate);
        (await TimeAsync(limit.TakeAsync(1, true, None).AsTask())).ShouldBe(TimeSpan.FromSeconds(3));
    }

    private async Task<TimeSpan> TimeAsync(Task transfers)
    {
        var began = clock.GetTimestamp();
        await clock.PassUntilAsync(CompletedAsync(transfers), TimeSpan.FromHours(1));
        return clock.GetElapsedTime(began);
    }

    private static async Task<bool> CompletedAsync(Task task)
    {
        await task;
        return true;
    }
}
