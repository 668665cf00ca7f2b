using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Recovery.Tests.Drills;

/// <summary>The page of a drill.</summary>
public sealed class DrillPageTests
{
    [Fact]
    public void It_needs_nothing_but_itself_and_shows_what_was_found_as_text()
    {
        var report = Report() with { Findings = ["<script>alert('x')</script> & more"] };

        var page = DrillPage.Write(report, [Report() with { Id = "20261023_033000" }]);

        page.ShouldContain("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more");
        page.ShouldNotContain("<script");
        page.ShouldNotContain("http://");
        page.ShouldNotContain("https://");
        page.ShouldContain("prefers-color-scheme: dark");
        page.ShouldContain("width=device-width");
        page.ShouldContain("20261023_033000");
    }

    [Theory]
    [InlineData(0.5, 5)]
    [InlineData(0.95, 10)]
    [InlineData(0.99, 10)]
    [InlineData(1, 10)]
    public void A_percentile_is_the_value_that_this_part_of_all_lies_at_or_below(double part, double expected) =>
        LoadTest.At([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], part).ShouldBe(expected);

    [Fact]
    public void Nothing_measured_is_zero() => LoadTest.At([], 0.95).ShouldBe(0);

    private static DrillReport Report() => new()
    {
        Id = "20261123_033000",
        Began = new DateTimeOffset(2026, 11, 23, 3, 30, 0, TimeSpan.Zero),
        Ended = new DateTimeOffset(2026, 11, 23, 3, 31, 0, TimeSpan.Zero),
        By = "agent on machine",
        Verdict = DrillVerdict.Passed,
        RecoveryTimeSeconds = 12,
        RecoveryPointSeconds = 3,
        RecoveryTimeObjectiveSeconds = 900,
        RecoveryPointObjectiveSeconds = 300,
        Sources =
        [
            new SourceDrill
            {
                Source = "postgres",
                Phases = [new DrillPhase("restore", 10, true), new DrillPhase("prove", 1, false)],
                Environment = ["PostgreSQL 15.18"],
                Proofs = [new RehearsalProof("recovery", ProofVerdict.Proven, "It recovered.")],
            },
        ],
        Findings = [],
    };
}
