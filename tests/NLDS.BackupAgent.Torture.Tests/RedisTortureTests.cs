using NLDS.BackupAgent.Torture.Redis;

namespace NLDS.BackupAgent.Torture.Tests;

/// <summary>A few kills in every run of the tests; many by the program itself, as README.md says.</summary>
public sealed class RedisTortureTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1, 5)]
    public async Task Nothing_confirmed_is_lost_and_nothing_invented_whatever_is_killed(int seed, int kills)
    {
        var report = await RedisTorture.RunAsync(new TortureOptions { Seed = seed, Kills = kills }, output.WriteLine);

        output.WriteLine(report.ToString());
        report.Failure.ShouldBeNull();
        report["restores to latest, right"].ShouldBe(kills);
        report["verified clean"].ShouldBe(1);
    }
}
