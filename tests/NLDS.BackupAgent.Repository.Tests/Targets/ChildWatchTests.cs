using System.Diagnostics;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Repository.Tests.Targets;

public sealed class ChildWatchTests
{
    [Fact]
    public async Task A_child_ends_when_the_process_that_watches_it_is_gone()
    {
        using var child = Process.Start("sleep", "600");
        using var watch = ChildWatch.Over(child);

        // What the kernel does for a process that was killed.
        await watch.Input.DisposeAsync();

        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        child.ExitCode.ShouldBe(128 + 9);
    }

    [Fact]
    public void A_child_that_is_not_watched_any_more_is_left_alone()
    {
        using var child = Process.Start("sleep", "600");
        try
        {
            ChildWatch.Over(child).Dispose();

            child.HasExited.ShouldBeFalse();
        }
        finally
        {
            child.Kill();
        }
    }
}
