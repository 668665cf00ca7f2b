using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Health;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Health;

public sealed class LivenessTests : IDisposable
{
    private readonly AgentUnderTest agent = new();

    public void Dispose() => agent.Dispose();

    [Fact]
    public async Task Loops_that_wait_for_timers_that_do_not_ring_any_more_are_stuck()
    {
        var time = new DeadTimers();
        var (liveness, pulses, supervisor) = Of(time);
        agent.Source.Tail = _ => throw new SourceException("Connection lost.", isPermanent: false);
        using var heartbeat = new Heartbeat(pulses);
        await heartbeat.StartAsync(TestContext.Current.CancellationToken);
        await supervisor.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => time.Waiting == 2, "both loops wait");

        time.Now += Liveness.Bound + TimeSpan.FromSeconds(0.4);
        liveness.Reasons().ShouldBeEmpty();
        time.Now += Heartbeat.Every;

        liveness.Reasons().Count.ShouldBe(2);
        liveness.Reasons().ShouldContain("the heartbeat should have turned 120 s ago. Only a restart helps; please report it.");
        liveness.Reasons().ShouldContain(reason => reason.StartsWith("the tail of postgres should have turned "));
        await heartbeat.StopAsync(TestContext.Current.CancellationToken);
        await supervisor.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_tail_that_tries_in_vain_for_an_hour_to_reach_its_server_is_alive()
    {
        var time = new ManualTime(FakeSource.Day);
        var (liveness, _, supervisor) = Of(time);
        var tries = 0;
        agent.Source.Tail = _ =>
        {
            tries++;
            throw new SourceException("Connection refused.", isPermanent: false);
        };
        await supervisor.StartAsync(TestContext.Current.CancellationToken);

        for (var minute = 0; minute < 60; minute++)
        {
            var before = tries;
            await time.SomebodyWaitsAsync(_ => true);
            time.Advance(TimeSpan.FromMinutes(1));
            await Eventually.TrueAsync(() => tries > before, "the tail is tried again");
            liveness.Reasons().ShouldBeEmpty();
        }

        await supervisor.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_tail_that_hears_nothing_for_a_week_is_alive_unless_it_says_itself_that_it_is_late()
    {
        var time = new ManualTime(FakeSource.Day);
        var (liveness, _, supervisor) = Of(time);
        await supervisor.StartAsync(TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromDays(7));
        liveness.Reasons().ShouldBeEmpty();

        agent.Source.Status = agent.Source.Status with { OverdueBy = Liveness.Bound };
        liveness.Reasons().ShouldBeEmpty();
        agent.Source.Status = agent.Source.Status with { OverdueBy = TimeSpan.FromMinutes(5) };
        liveness.Reasons().ShouldBe(["the tail of postgres should have turned 300 s ago. Only a restart helps; please report it."]);

        await supervisor.StopAsync(TestContext.Current.CancellationToken);
    }

    private (Liveness Liveness, LoopPulses Pulses, TailSupervisor Supervisor) Of(TimeProvider time)
    {
        var pulses = new LoopPulses(time);
        var supervisor = new TailSupervisor(new SourceCatalog([], [agent.Source], agent.Load()), time, NullLogger<TailSupervisor>.Instance);
        return (new Liveness(pulses, supervisor), pulses, supervisor);
    }

    /// <summary>Time goes on, and no timer ever rings.</summary>
    private sealed class DeadTimers : TimeProvider
    {
        private int waiting;

        public TimeSpan Now { get; set; } = TimeSpan.FromDays(1);

        public int Waiting => Volatile.Read(ref waiting);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref waiting);
            return new Dead();
        }

        private sealed class Dead : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
