using Microsoft.AspNetCore.Builder;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Telemetry;

/// <summary>What leaves the process by OTLP when the standard's variable names an endpoint.</summary>
public sealed class OtlpTests : IDisposable
{
    private readonly AgentUnderTest agent = new();

    public void Dispose() => agent.Dispose();

    [Fact]
    public async Task The_daemon_sends_metrics_spans_and_logs_and_no_secret()
    {
        await using var receiver = await StartReceiverAsync();
        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true };
        agent.Source.Take = _ => throw new SourceException("Password hunter2 was refused.", isPermanent: false);
        await using var app = DaemonHost.Build(agent.Load(), agent.Surroundings, agent.Scrubber);

        await app.StartAsync(TestContext.Current.CancellationToken);
        await receiver.SeesAsync("metrics", "backup_job_failures_total");
        await receiver.SeesAsync("traces", "backup postgres");
        await receiver.SeesAsync("traces", "Password *** was refused.");
        await receiver.SeesAsync("logs", "postgres-full failed: Password *** was refused.");
        await app.StopAsync(TestContext.Current.CancellationToken);

        receiver.All("metrics").ShouldContain("nlds-backup");
        receiver.All("logs").ShouldContain("nlds-0");
        foreach (var signal in new[] { "metrics", "traces", "logs" })
        {
            receiver.All(signal).ShouldNotContain("hunter2");
        }
    }

    [Theory]
    [InlineData("backup postgres", "backup", "postgres")]
    [InlineData("verify postgres", "verify", "postgres")]
    [InlineData("restore postgres", "restore", "postgres", "--target-directory", "/tmp/nowhere")]
    public async Task A_verb_sends_its_span_before_it_ends(string span, params string[] arguments)
    {
        await using var receiver = await StartReceiverAsync();

        (await agent.RunAsync(arguments)).Exit.ShouldBe(0, agent.ErrorText);

        receiver.All("traces").ShouldContain(span);
    }

    [Fact]
    public async Task Without_an_endpoint_nothing_is_sent()
    {
        await using var receiver = await StartReceiverAsync();
        agent.Environment.Remove("OTEL_EXPORTER_OTLP_ENDPOINT");

        (await agent.RunAsync("backup", "postgres")).Exit.ShouldBe(0, agent.ErrorText);

        receiver.All("traces").ShouldBeEmpty();
    }

    private async Task<OtlpReceiver> StartReceiverAsync()
    {
        var receiver = await OtlpReceiver.StartAsync();
        agent.Environment["Agent__Urls"] = "http://127.0.0.1:0";
        agent.Environment["Agent__Instance"] = "nlds-0";
        agent.Environment["POSTGRES_PASSWORD"] = "hunter2";
        agent.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.Url;
        agent.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        agent.Environment["OTEL_METRIC_EXPORT_INTERVAL"] = "200";
        agent.Environment["OTEL_BSP_SCHEDULE_DELAY"] = "100";
        agent.Environment["OTEL_BLRP_SCHEDULE_DELAY"] = "100";
        return receiver;
    }
}
