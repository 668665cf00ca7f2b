using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Forecast;

namespace NLDS.BackupAgent.Recovery.Tests.Forecast;

/// <summary>What a drill measured corrects what is foretold.</summary>
public sealed class RestoreForecastTests
{
    private const long Large = 1L << 30;

    [Fact]
    public void Without_a_drill_the_estimate_stands() => RestoreForecast.Correction([], "postgres").ShouldBe(1);

    [Fact]
    public void The_last_drill_of_the_source_counts() =>
        RestoreForecast.Correction([Drill("postgres", Large, 300, 100), Drill("postgres", Large, 50, 100), Drill("redis", Large, 900, 100)], "postgres").ShouldBe(0.5);

    [Fact]
    public void A_small_drill_tells_nothing_of_rates() => RestoreForecast.Correction([Drill("postgres", 40 << 20, 1, 5)], "postgres").ShouldBe(1);

    [Fact]
    public void A_drill_that_never_recovered_tells_nothing() => RestoreForecast.Correction([Drill("postgres", Large, null, 5)], "postgres").ShouldBe(1);

    [Fact]
    public void One_drill_does_not_make_an_estimate_absurd() => RestoreForecast.Correction([Drill("postgres", Large, 100_000, 1)], "postgres").ShouldBe(10);

    private static DrillReport Drill(string source, long bytes, double? took, double estimate) => new()
    {
        Id = "20261123_033000",
        Began = default,
        Ended = default,
        By = "test",
        Verdict = DrillVerdict.Passed,
        RecoveryTimeSeconds = took,
        RecoveryPointSeconds = 1,
        RecoveryTimeObjectiveSeconds = 900,
        RecoveryPointObjectiveSeconds = 300,
        Findings = [],
        Sources =
        [
            new SourceDrill { Source = source, ContentBytes = bytes, RecoveryTimeSeconds = took, EstimateSeconds = estimate, Phases = [], Environment = [], Proofs = [] },
        ],
    };
}
