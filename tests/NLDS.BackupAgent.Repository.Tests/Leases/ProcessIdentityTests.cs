using System.Diagnostics;
using System.Globalization;
using NLDS.BackupAgent.Repository.Leases;

namespace NLDS.BackupAgent.Repository.Tests.Leases;

public sealed class ProcessIdentityTests
{
    private static readonly ProcessIdentity Own = ProcessIdentity.OfThisProcess;

    [Fact]
    public void This_process_lives() => Own.IsAlive().ShouldBe(true);

    [Fact]
    public void A_process_of_this_number_that_was_started_at_another_time_is_another_process() =>
        (Own with { StartTicks = Own.StartTicks - 1 }).IsAlive().ShouldBe(false);

    [Fact]
    public void Of_another_boot_or_another_container_nothing_is_known()
    {
        (Own with { BootId = "another" }).IsAlive().ShouldBeNull();
        (Own with { PidNamespace = "pid:[1]" }).IsAlive().ShouldBeNull();
        (Own with { BootId = "" }).IsAlive().ShouldBeNull();
    }

    [Fact]
    public async Task A_process_that_was_killed_is_gone_even_before_its_parent_has_taken_notice()
    {
        // The shell does not wait for its child, so that stays behind as a zombie.
        using var parent = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "sleep 600 & echo $!; exec sleep 600"]) { RedirectStandardOutput = true })!;
        try
        {
            var child = int.Parse((await parent.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!, CultureInfo.InvariantCulture);
            var stat = (await File.ReadAllTextAsync($"/proc/{child}/stat", TestContext.Current.CancellationToken)).Split(") ")[^1].Split(' ');
            var identity = Own with { ProcessId = child, StartTicks = ulong.Parse(stat[19], CultureInfo.InvariantCulture) };
            identity.IsAlive().ShouldBe(true);

            using var victim = Process.GetProcessById(child);
            victim.Kill();
            await Testing.Eventually.TrueAsync(() => identity.IsAlive() == false, "it is gone");
            File.Exists($"/proc/{child}/stat").ShouldBeTrue();
        }
        finally
        {
            parent.Kill();
        }
    }
}
