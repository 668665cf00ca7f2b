using System.Globalization;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>
/// The nine invariants of the repository through everything at once. Longer, or from other seeds:
/// <c>SIMULATION_SEEDS=100-140 SIMULATION_STEPS=20000 dotnet test tests/NLDS.BackupAgent.Repository.Tests -c Release --filter FullyQualifiedName~Simulation</c>.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    /// <summary>From so many steps on every deed must have been done.</summary>
    private const int LongRun = 2_000;

    /// <summary>What the suite has time for.</summary>
    private const int SuiteSteps = 1_000;

    public static TheoryData<int> Seeds
    {
        get
        {
            var ends = (Environment.GetEnvironmentVariable("SIMULATION_SEEDS") ?? "1-4").Split('-').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToList();
            return [.. Enumerable.Range(ends[0], ends[^1] - ends[0] + 1)];
        }
    }

    private static int Steps => int.TryParse(Environment.GetEnvironmentVariable("SIMULATION_STEPS"), CultureInfo.InvariantCulture, out var steps) ? steps : SuiteSteps;

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Through_crashes_faults_lies_and_wrong_clocks_the_nine_invariants_hold(int seed)
    {
        await using var simulation = new Simulation(seed);

        await simulation.RunAsync(Steps);

        output.WriteLine(string.Join('\n', simulation.Deeds.Select(deed => $"{deed.Key}: {deed.Value.Done} of {deed.Value.Tried}")));
        output.WriteLine($"backups removed: {simulation.BackupsRemoved}, living sessions swept: {simulation.SessionsSwept}");
        if (Steps >= LongRun)
        {
            simulation.Deeds.Where(deed => deed.Value.Done == 0).ShouldBeEmpty("each deed has been done");
            simulation.BackupsRemoved.ShouldBeGreaterThan(10);
            simulation.SessionsSwept.ShouldBeGreaterThan(0);
        }
    }
}
