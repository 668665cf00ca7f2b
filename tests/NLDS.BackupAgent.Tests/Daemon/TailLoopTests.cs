using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Daemon;

public sealed class TailLoopTests : IDisposable
{
    private readonly ManualTime time = new(FakeSource.Day);
    private readonly FakeSource source = new("postgres");
    private readonly CancellationTokenSource stop = new();
    private readonly TailLoop loop;

    public TailLoopTests() => loop = new TailLoop(source, null, time, () => 1, NullLogger.Instance);

    public void Dispose() => stop.Dispose();

    [Fact]
    public async Task A_tail_that_breaks_off_is_started_again_after_waits_that_double_up_to_a_minute()
    {
        var starts = 0;
        source.Tail = _ =>
        {
            starts++;
            throw new SourceException("Connection lost.", isPermanent: false);
        };
        var running = loop.RunAsync(stop.Token);

        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            await time.SomebodyWaitsAsync(wait => wait == TimeSpan.FromSeconds(seconds));
            loop.Fault.ShouldBe("Connection lost.");
            loop.IsStreaming.ShouldBeFalse();
            time.Advance(TimeSpan.FromSeconds(seconds));
        }

        await time.SomebodyWaitsAsync(wait => wait == TimeSpan.FromSeconds(60));
        starts.ShouldBe(9);
        loop.Restarts.ShouldBe(8);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task A_permanent_fault_is_tried_again_slowly_and_keeps_its_message()
    {
        source.Tail = _ => throw new SourceException("Another cluster.", isPermanent: true);
        var running = loop.RunAsync(stop.Token);

        await time.SomebodyWaitsAsync(wait => wait == TailLoop.PermanentWait);

        loop.Fault.ShouldBe("Another cluster.");
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task A_failure_after_a_healthy_run_is_a_first_failure_again()
    {
        var starts = 0;
        source.Tail = _ =>
        {
            if (++starts == 3)
            {
                time.Advance(TimeSpan.FromHours(1));
            }

            throw new SourceException("Connection lost.", isPermanent: false);
        };
        var running = loop.RunAsync(stop.Token);
        foreach (var seconds in new[] { 1, 2 })
        {
            await time.SomebodyWaitsAsync(wait => wait == TimeSpan.FromSeconds(seconds));
            time.Advance(TimeSpan.FromSeconds(seconds));
        }

        await time.SomebodyWaitsAsync(wait => wait == TimeSpan.FromSeconds(1));

        starts.ShouldBe(3);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task A_tail_that_ends_without_being_asked_is_a_fault()
    {
        source.Tail = _ => Task.CompletedTask;
        var running = loop.RunAsync(stop.Token);

        await time.SomebodyWaitsAsync(wait => wait == TimeSpan.FromSeconds(1));

        loop.Fault.ShouldBe("The tail ended without being asked to.");
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Stopping_waits_for_the_tail_to_end_in_order()
    {
        var flushed = new TaskCompletionSource();
        var stopping = new TaskCompletionSource();
        source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true };
        source.Tail = async token =>
        {
            await using var registration = token.Register(() => stopping.SetResult());
            await stopping.Task;
            await flushed.Task;
        };
        var running = loop.RunAsync(stop.Token);

        await stop.CancelAsync();
        await stopping.Task;
        running.IsCompleted.ShouldBeFalse();
        flushed.SetResult();
        await running;

        loop.Fault.ShouldBeNull();
    }

    [Fact]
    public async Task A_tail_that_blocks_before_its_first_await_holds_up_nobody()
    {
        using var release = new ManualResetEventSlim();
        source.Tail = _ =>
        {
            release.Wait(TestContext.Current.CancellationToken);
            return Task.CompletedTask;
        };

        var running = loop.RunAsync(stop.Token);

        await stop.CancelAsync();
        release.Set();
        await running;
    }
}
