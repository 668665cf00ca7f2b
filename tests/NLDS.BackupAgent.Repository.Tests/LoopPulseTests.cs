using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Repository.Tests;

public sealed class LoopPulseTests
{
    private readonly ManualClock clock = new();
    private readonly LoopPulse pulse;

    public LoopPulseTests() => pulse = new LoopPulse(clock);

    [Fact]
    public void A_turn_that_does_not_come_is_late_from_the_moment_on_at_which_it_was_due()
    {
        pulse.Turn(TimeSpan.FromSeconds(10));

        clock.Advance(TimeSpan.FromSeconds(10));
        pulse.OverdueBy.ShouldBe(TimeSpan.Zero);
        clock.Advance(TimeSpan.FromSeconds(90));
        pulse.OverdueBy.ShouldBe(TimeSpan.FromSeconds(90));

        pulse.Turn(TimeSpan.FromSeconds(10));
        pulse.OverdueBy.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void A_loop_that_rests_or_has_not_begun_is_never_late()
    {
        clock.Advance(TimeSpan.FromDays(1));
        pulse.OverdueBy.ShouldBe(TimeSpan.Zero);

        pulse.Turn(TimeSpan.FromSeconds(10));
        pulse.Rest();
        clock.Advance(TimeSpan.FromDays(1));
        pulse.OverdueBy.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public async Task After_a_wait_the_turn_is_due_until_the_loop_turns_again_or_rests()
    {
        var waiting = pulse.WaitAsync(TimeSpan.FromSeconds(5), CancellationToken.None);
        clock.Advance(TimeSpan.FromSeconds(5));
        await waiting;

        clock.Advance(TimeSpan.FromSeconds(7));

        pulse.OverdueBy.ShouldBe(TimeSpan.FromSeconds(7));
    }

    [Fact]
    public async Task A_loop_that_is_stopped_while_it_waits_rests()
    {
        using var stop = new CancellationTokenSource();
        var waiting = pulse.WaitAsync(TimeSpan.FromSeconds(5), stop.Token);
        await stop.CancelAsync();
        await waiting;

        clock.Advance(TimeSpan.FromDays(1));

        pulse.OverdueBy.ShouldBe(TimeSpan.Zero);
    }
}
