using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
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
    public async Task While_another_agent_writes_the_loop_stands_by_and_takes_over_when_that_one_ends()
    {
        var store = new MemoryObjectStore();
        await using var others = Leases(store, "the other");
        var other = (await others.For("postgres").TryHoldAsync(CancellationToken.None)).Hold!;
        await using var own = Leases(store, "this one");
        var standby = new TailLoop(source, own.For("postgres"), time, () => 1, NullLogger.Instance);
        var tails = 0;
        var defaultTail = source.Tail;
        source.Tail = token =>
        {
            tails++;
            return defaultTail(token);
        };

        var running = standby.RunAsync(stop.Token);
        await time.SomebodyWaitsAsync(wait => wait == own.For("postgres").LookEvery);
        standby.Fault.ShouldNotBeNull().ShouldContain("Another agent (the other on");
        tails.ShouldBe(0);

        await other.DisposeAsync();
        time.Advance(own.For("postgres").LookEvery);
        await Testing.Eventually.TrueAsync(() => tails == 1, "the tail runs");
        standby.Fault.ShouldBeNull();
        await stop.CancelAsync();
        await running;

        // And gives it back when it ends.
        (await others.For("postgres").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();
    }

    [Fact]
    public async Task An_agent_that_must_not_write_does_not_keep_out_the_one_that_should()
    {
        var store = new MemoryObjectStore();
        await using var wrong = Leases(store, "wrong");
        await using var right = Leases(store, "right");
        source.Tail = _ => throw new SourceException("Another cluster.", isPermanent: true);
        var refused = new TailLoop(source, wrong.For("postgres"), time, () => 1, NullLogger.Instance);
        var running = refused.RunAsync(stop.Token);
        await time.SomebodyWaitsAsync(wait => wait == TailLoop.PermanentWait);

        await using (var hold = (await right.For("postgres").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull())
        {
            time.Advance(TailLoop.PermanentWait);
            await time.SomebodyWaitsAsync(wait => wait == wrong.For("postgres").LookEvery);
            refused.Fault.ShouldNotBeNull().ShouldContain("right on");
        }

        await stop.CancelAsync();
        await running;
    }

    private WriterLeases Leases(IObjectStore store, string instance) =>
        new(new BackupRepository(store, new RepositoryOptions(), time), AgentIdentity.OfThisProcess(instance), NullLogger<WriterLeases>.Instance);

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
