using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Telemetry;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Telemetry;

public sealed class PrometheusTextTests : IDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly ManualTime time = new(FakeSource.Day.AddHours(3));
    private readonly CatalogView catalog = new();
    private readonly ServiceProvider services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private JobLedger? ledger;

    public void Dispose()
    {
        services.Dispose();
        agent.Dispose();
    }

    [Fact]
    public void The_series_are_those_of_the_contract_to_the_letter()
    {
        using var pipeline = Pipeline();
        var job = ledger!.Jobs[0];
        ledger.TryBegin(job);
        time.Advance(TimeSpan.FromSeconds(90));
        ledger.Fail(job, "Refused.");
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day.AddDays(-1)) with { VerifiedAt = FakeSource.Day });
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day));
        catalog.Read(new SourceListing("postgres", agent.Source.Backups, new LogListing(null, null, "0/5", [new LogGapListing("0/1", "0/2", "removed", FakeSource.Day)])));
        catalog.Verified(new VerifyReport("postgres", 3, 1024, 2048, [new DamageFinding("base.tar", "is missing", "a lot")]), FakeSource.Day);
        agent.Source.Status = new ContinuousStatus
        {
            State = "streaming",
            IsStreaming = true,
            DurablePosition = 0x5000000,
            ServerPosition = 0x5000100,
            RecoverableUntil = time.GetUtcNow().AddSeconds(-20),
            ConfirmedAt = time.GetUtcNow().AddSeconds(-2.5),
            Gaps = 1,
            LogRoomBytes = 1 << 28,
            LogRoomLimitBytes = 1 << 30,
            RestoreEstimate = TimeSpan.FromSeconds(42),
        };

        pipeline.Read().Replace(VersionCommand.Version, "VERSION", StringComparison.Ordinal).ShouldBe(File.ReadAllText(Path.Combine(Architecture.House.Root, "tests/NLDS.BackupAgent.Tests/Telemetry/healthy.prom")));
    }

    [Fact]
    public void Before_the_first_success_failures_are_0_and_successes_absent()
    {
        using var pipeline = Pipeline();

        var text = pipeline.Read();

        text.ShouldContain("backup_job_failures_total{backup_job=\"postgres-full\"} 0\n");
        text.ShouldNotContain("backup_last_success_timestamp{");
        text.ShouldNotContain("backup_job_last_success_timestamp{");
        text.ShouldNotContain("backup_recoverable_until_timestamp{");
    }

    [Fact]
    public void After_a_restart_the_repository_says_when_the_last_success_was()
    {
        using var pipeline = Pipeline();
        var log = new LogListing(FakeSource.Day, FakeSource.Day.AddHours(1), "0/5", []);

        catalog.Read(new SourceListing("postgres", [FakeSource.Backup(FakeSource.Day)], log));

        var text = pipeline.Read();
        text.ShouldContain($"backup_last_success_timestamp{{source=\"postgres\"}} {FakeSource.Day.AddHours(1).ToUnixTimeSeconds()}\n");
        text.ShouldContain($"backup_job_last_success_timestamp{{backup_job=\"postgres-full\"}} {FakeSource.Day.AddMinutes(2).ToUnixTimeSeconds()}\n");
        text.ShouldContain("backup_recovery_point_lag_seconds{source=\"postgres\"} 7200\n");
    }

    [Fact]
    public void A_disabled_source_has_no_series()
    {
        agent.Environment["Postgres__Enabled"] = "false";
        using var pipeline = Pipeline();

        pipeline.Read().ShouldNotContain("postgres");
    }

    [Fact]
    public void Another_floors_histogram_is_written_as_buckets()
    {
        using var pipeline = Pipeline();
        var meter = services.GetRequiredService<IMeterFactory>().Create("NLDS.BackupAgent.Postgres");
        meter.CreateHistogram("flush_seconds", null, "Time\nto \"flush\".", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 2] })
            .Record(1, KeyValuePair.Create<string, object?>("path", "a\"b\\c\nd"));

        pipeline.Read().ShouldContain("""
            # HELP flush_seconds Time\nto "flush".
            # TYPE flush_seconds histogram
            flush_seconds_bucket{path="a\"b\\c\nd",le="0.5"} 0
            flush_seconds_bucket{path="a\"b\\c\nd",le="2"} 1
            flush_seconds_bucket{path="a\"b\\c\nd",le="+Inf"} 1
            flush_seconds_sum{path="a\"b\\c\nd"} 1
            flush_seconds_count{path="a\"b\\c\nd"} 1
            """.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void A_failure_before_the_first_scrape_is_a_step_that_every_Prometheus_sees()
    {
        using var pipeline = Pipeline();
        ledger!.TryBegin(ledger.Jobs[0]);
        ledger.Fail(ledger.Jobs[0], "Refused.");
        const string series = "backup_job_failures_total{backup_job=\"postgres-full\"} ";

        pipeline.Read("one").ShouldContain(series + "0\n");
        pipeline.Read("one").ShouldContain(series + "1\n");
        pipeline.Read("two").ShouldContain(series + "0\n");
        pipeline.Read("two").ShouldContain(series + "1\n");
        pipeline.Read().ShouldContain(series + "1\n", customMessage: "People are told the truth at once.");
    }

    [Fact]
    public void A_run_that_a_kill_ended_is_a_step_after_the_restart_even_for_a_pod_with_another_name()
    {
        using var pipeline = Pipeline(isJournaled: true);
        var job = ledger!.Jobs[0];
        pipeline.Read("early").ShouldNotContain("backup_job_failures_total{", customMessage: "Nothing is known yet.");
        var stored = JournalDocument.Empty(job.Name) with { Runs = 9, Failures = 3, Current = new CurrentRun(FakeSource.Day, Guid.NewGuid()) };
        ledger.Read(job, stored.Recover(ledger.Process), stored.Failures);

        pipeline.Read("new").ShouldContain("backup_job_failures_total{backup_job=\"postgres-full\"} 3\n");
        pipeline.Read("new").ShouldContain("backup_job_failures_total{backup_job=\"postgres-full\"} 4\n");
    }

    [Fact]
    public void Gaps_are_unknown_until_they_were_counted_and_never_become_fewer()
    {
        using var pipeline = Pipeline();
        pipeline.Read().ShouldNotContain("backup_log_gaps_total{");

        LogGapListing gap = new("0/1", "0/2", "removed", FakeSource.Day);
        catalog.Read(new SourceListing("postgres", [], new LogListing(null, null, "0/5", [gap, gap with { RecordedAt = FakeSource.Day.AddHours(1) }])));
        var text = pipeline.Read();
        text.ShouldContain("backup_log_gaps_total{source=\"postgres\"} 2\n");
        text.ShouldContain($"backup_log_last_gap_timestamp{{source=\"postgres\"}} {FakeSource.Day.AddHours(1).ToUnixTimeSeconds()}\n");

        catalog.Read(new SourceListing("postgres", [], new LogListing(null, null, "0/5", [gap])));
        pipeline.Read().ShouldContain("backup_log_gaps_total{source=\"postgres\"} 2\n");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(true, "text/plain;version=0.0.4")]
    [InlineData(true, "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")]
    [InlineData(true, "text/html,*/*;q=0.8")]
    [InlineData(false, "application/openmetrics-text; version=1.0.0; charset=utf-8")]
    [InlineData(false, "application/json", "text/plain;q=0")]
    public void Only_plain_text_is_written_and_whoever_takes_none_is_refused(bool wanted, params string[] accept) => PrometheusText.IsWanted(accept).ShouldBe(wanted);

    [Theory]
    [InlineData("http.server.duration", "http_server_duration")]
    [InlineData("9lives", "_lives")]
    public void Names_keep_to_the_formats_letters(string name, string expected) => PrometheusText.Name(name).ShouldBe(expected);

    private MetricsPipeline Pipeline(bool isJournaled = false)
    {
        var configuration = agent.Load();
        var sources = new SourceCatalog([agent.Source], [agent.Source], configuration);
        ledger = new JobLedger([.. SnapshotJobs.Of(sources, configuration, catalog)], time, isJournaled);
        var meters = services.GetRequiredService<IMeterFactory>();
        return new MetricsPipeline(meters, new AgentMetrics(meters, sources, ledger, catalog, time), new OtlpTarget(agent.Surroundings, configuration));
    }
}
