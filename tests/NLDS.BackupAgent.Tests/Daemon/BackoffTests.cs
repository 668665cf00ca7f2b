using NLDS.BackupAgent.Daemon;

namespace NLDS.BackupAgent.Tests.Daemon;

public sealed class BackoffTests
{
    private static readonly Backoff Waits = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 4)]
    [InlineData(7, 60)]
    [InlineData(int.MaxValue, 60)]
    public void The_wait_doubles_up_to_a_bound(int failures, int seconds) => Waits.After(failures).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void Chance_takes_off_up_to_half()
    {
        Waits.After(3, 0).ShouldBe(TimeSpan.FromSeconds(2));
        Waits.After(3, 1).ShouldBe(TimeSpan.FromSeconds(4));
    }
}
