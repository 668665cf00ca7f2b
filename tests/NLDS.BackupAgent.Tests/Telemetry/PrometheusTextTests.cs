using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using NLDS.BackupAgent.Features;
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
        catalog.Read(new SourceListing("postgres", agent.Source.Backups, null));
        agent.Source.Status = new ContinuousStatus
        {
            State = "streaming",
            IsStreaming = true,
            DurablePosition = 0x5000000,
            ServerPosition = 0x5000100,
            RecoverableUntil = time.GetUtcNow().AddSeconds(-20),
            ConfirmedAt = time.GetUtcNow().AddSeconds(-2.5),
            Gaps = 1,
        };

        pipeline.Read().ShouldBe(File.ReadAllText(Path.Combine(Architecture.House.Root, "tests/NLDS.BackupAgent.Tests/Telemetry/healthy.prom")));
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

    [Theory]
    [InlineData("http.server.duration", "http_server_duration")]
    [InlineData("9lives", "_lives")]
    public void Names_keep_to_the_formats_letters(string name, string expected) => PrometheusText.Name(name).ShouldBe(expected);

    private MetricsPipeline Pipeline()
    {
        var configuration = agent.Load();
        var sources = new SourceCatalog([agent.Source], [agent.Source], configuration);
        ledger = new JobLedger([.. SnapshotJobs.Of(sources, configuration, catalog)], time);
        var meters = services.GetRequiredService<IMeterFactory>();
        return new MetricsPipeline(meters, agent.Surroundings, new AgentMetrics(meters, sources, ledger, catalog, time));
    }
}
