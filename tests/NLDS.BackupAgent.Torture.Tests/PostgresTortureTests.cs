using NLDS.BackupAgent.Torture.Postgres;

namespace NLDS.BackupAgent.Torture.Tests;

/// <summary>A few rounds in every run of the tests; many by the program itself, as README.md says.</summary>
public sealed class PostgresTortureTests(ITestOutputHelper output)
{
    /// <summary>After which no new round begins: a busy machine makes fewer.</summary>
    private static readonly TimeSpan Enough = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(1, 6)]
    public async Task Nothing_claimed_is_lost_and_nothing_invented_whatever_happens(int seed, int rounds)
    {
        var report = await PostgresTorture.RunAsync(new TortureOptions { Of = "postgres", Seed = seed, Kills = rounds, Duration = Enough }, output.WriteLine);

        output.WriteLine(report.ToString());
        report.Failure.ShouldBeNull();
        report["rounds"].ShouldBeInRange(1, rounds);
        report["verified clean"].ShouldBe(1);
    }
}
