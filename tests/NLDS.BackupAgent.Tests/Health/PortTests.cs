using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Configuration;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Health;

/// <summary>The daemon whole, on a port of its own.</summary>
public sealed class PortTests : IAsyncDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly TaskCompletionSource<SealedBackup> backup = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource taking = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient client = new();
    private WebApplication? app;

    public PortTests()
    {
        agent.Environment["Agent__Urls"] = "http://127.0.0.1:0";
        agent.Environment["Agent__Instance"] = "nlds-0";
        agent.Environment["POSTGRES_PASSWORD"] = "hunter2";
        agent.Source.Take = _ =>
        {
            taking.TrySetResult();
            return backup.Task;
        };
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Alive_before_ready_and_ready_when_every_log_streams()
    {
        agent.Source.Status = new ContinuousStatus { State = "connecting", LastError = "Password hunter2 was refused." };
        await StartAsync();

        (await client.GetAsync("/healthz/live", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);
        var notReady = await client.GetAsync("/healthz/ready", Cancelled);
        notReady.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await notReady.Content.ReadAsStringAsync(Cancelled)).ShouldContain("\"postgres: Password *** was refused.\"");
        notReady.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");

        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true };
        (await client.GetAsync("/healthz/ready", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_loop_that_is_stuck_is_named_and_the_agent_is_not_alive()
    {
        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true, OverdueBy = TimeSpan.FromMinutes(3) };
        await StartAsync();

        var answer = await client.GetAsync("/healthz/live", Cancelled);

        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancelled)).RootElement;
        document.GetProperty("status").GetString().ShouldBe("stuck");
        document.GetProperty("reasons")[0].GetString()!.ShouldStartWith("the tail of postgres should have turned 180 s ago.");
    }

    [Fact]
    public async Task A_store_that_hangs_is_a_reason_not_to_be_ready_and_none_to_be_killed()
    {
        using var store = new FaultyObjectStore(new MemoryObjectStore());
        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true };
        agent.Features.Add<StorageOptions>("Storage", (services, _) => services.AddSingleton<IObjectStore>(store));
        agent.Environment["Storage__Directory__Path"] = agent.Working;
        store.FailFrom(1, Fault.Hang);
        await StartAsync();

        for (var probe = 0; probe < 3; probe++)
        {
            var ready = await client.GetAsync("/healthz/ready", Cancelled);
            ready.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            (await ready.Content.ReadAsStringAsync(Cancelled)).ShouldContain("store: has not answered for ");
        }

        store.Calls.ShouldBe(1);
        (await client.GetAsync("/healthz/live", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await client.GetStringAsync("/status", Cancelled)).ShouldContain("store: has not answered for ");
    }

    [Fact]
    public async Task A_source_without_a_log_is_asked_whether_it_can_be_reached()
    {
        agent.Source.Reach = _ => throw new SourceException("hunter2 refused.", isPermanent: false);
        var features = new FeatureList().AddSource<FakeOptions>("Postgres", "postgres", (services, _) => services.AddSingleton<ISnapshotSource>(agent.Source));
        await StartAsync(features);

        var ready = await client.GetAsync("/healthz/ready", Cancelled);

        ready.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await ready.Content.ReadAsStringAsync(Cancelled)).ShouldContain("\"postgres: *** refused.\"");
    }

    [Fact]
    public async Task The_scheduler_shows_that_it_fires()
    {
        await StartAsync();

        await Eventually.TrueAsync(
            () => app!.Services.GetRequiredService<LoopPulses>().Overdue.Any(pulse => pulse.Loop == SchedulerPulse.Name), "the scheduler has fired its pulse");
    }

    [Fact]
    public async Task Metrics_are_in_the_text_format()
    {
        await StartAsync();

        var answer = await client.GetAsync("/metrics", Cancelled);

        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/plain; version=0.0.4; charset=utf-8");
        (await answer.Content.ReadAsStringAsync(Cancelled)).ShouldContain("backup_job_failures_total{backup_job=\"postgres-full\"} 0\n");
    }

    [Fact]
    public async Task Metrics_in_another_format_are_refused()
    {
        await StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { { "Accept", "application/openmetrics-text; version=1.0.0" } } };

        var answer = await client.SendAsync(request, Cancelled);

        answer.StatusCode.ShouldBe(HttpStatusCode.NotAcceptable);
        (await answer.Content.ReadAsStringAsync(Cancelled)).ShouldContain("text/plain; version=0.0.4");
    }

    [Fact]
    public async Task The_status_tells_of_the_first_backup_under_way()
    {
        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true, DurablePosition = 42 };
        await StartAsync();
        await taking.Task;

        var status = JsonDocument.Parse(await client.GetStringAsync("/status", Cancelled)).RootElement;

        status.GetProperty("instance").GetString().ShouldBe("nlds-0");
        status.GetProperty("ready").GetBoolean().ShouldBeTrue();
        status.GetProperty("sources")[0].GetProperty("log").GetProperty("durablePosition").GetInt64().ShouldBe(42);
        var job = status.GetProperty("jobs")[0];
        job.GetProperty("name").GetString().ShouldBe("postgres-full");
        job.GetProperty("schedule").GetString().ShouldBe("0 0 2 * * ? (UTC)");
        job.GetProperty("runningSince").ValueKind.ShouldBe(JsonValueKind.String);
        job.GetProperty("progress").GetString()!.ShouldStartWith("base backup: 1 B of 2 B (50 %)");
        backup.SetResult(FakeSource.Backup(FakeSource.Day));
    }

    [Fact]
    public async Task The_verb_status_prints_what_the_agent_says()
    {
        await StartAsync();
        agent.Environment["Agent__Urls"] = app!.Urls.Single();

        var answer = await agent.RunAsync("status");

        answer.Exit.ShouldBe(0);
        answer.Out.ShouldStartWith("nlds-0, version ");
        answer.Out.ShouldContain("not ready");
        answer.Out.ShouldContain("postgres-full");
        JsonDocument.Parse((await agent.RunAsync("status", "--json")).Out).RootElement.GetProperty("instance").GetString().ShouldBe("nlds-0");
    }

    [Fact]
    public async Task The_page_is_self_contained()
    {
        await StartAsync();

        var page = await client.GetStringAsync("/", Cancelled);

        page.ShouldContain("<!doctype html>");
        page.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal).ShouldNotContain("http://");
        page.ShouldNotContain("https://");
    }

    [Fact]
    public async Task With_a_token_only_its_holders_see_the_status_and_probes_and_scrapes_need_none()
    {
        agent.Environment["Agent__Token"] = "correct horse battery staple";
        await StartAsync();

        (await client.GetAsync("/status", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        client.DefaultRequestHeaders.Authorization = new("Bearer", "correct horse battery stapler");
        (await client.GetAsync("/status", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        client.DefaultRequestHeaders.Authorization = new("Bearer", "correct horse battery staple");
        (await client.GetAsync("/status", Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK);
        client.DefaultRequestHeaders.Authorization = null;
        foreach (var open in new[] { "/", "/metrics", "/healthz/live" })
        {
            (await client.GetAsync(open, Cancelled)).StatusCode.ShouldBe(HttpStatusCode.OK, open);
        }

        agent.Environment["Agent__Urls"] = app!.Urls.Single();
        (await agent.RunAsync("status")).Exit.ShouldBe(0);
        agent.Environment.Remove("Agent__Token");
        var refused = await agent.RunAsync("status");
        refused.Exit.ShouldBe(1);
        refused.Error.ShouldContain("Set Agent:Token to what it has.");
    }

    [Fact]
    public async Task Stopping_lets_the_tail_end_in_order_and_answers_0()
    {
        var stop = new CancellationTokenSource();
        var streaming = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var flushed = false;
        agent.Source.Tail = async stopping =>
        {
            streaming.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            flushed = true;
        };

        var exit = new CommandLine(agent.Features, agent.Surroundings).InvokeAsync([], stop.Token);
        await streaming.Task;
        await stop.CancelAsync();

        (await exit).ShouldBe(0, agent.ErrorText);
        flushed.ShouldBeTrue();
        agent.ErrorText.ShouldContain("The agent has stopped.");
    }

    [Fact]
    public async Task A_tail_that_hangs_does_not_keep_the_agent_from_ending()
    {
        var streaming = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var never = new TaskCompletionSource();
        agent.Source.Tail = _ =>
        {
            streaming.SetResult();
            return never.Task;
        };
        await StartAsync();
        app!.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout.ShouldBe(TimeSpan.FromSeconds(10));
        app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout = TimeSpan.FromMilliseconds(50);
        await streaming.Task;

        await app.StopAsync(Cancelled);

        never.SetResult();
    }

    [Fact]
    public async Task A_defect_in_the_background_ends_the_agent_and_is_exit_code_1()
    {
        agent.Source.StatusBroken = new InvalidOperationException("Oops.");

        var answer = await agent.RunAsync("run");

        answer.Exit.ShouldBe(1);
        answer.Error.ShouldContain("Oops. This is a defect");
    }

    [Fact]
    public async Task A_port_that_is_taken_is_exit_code_1_and_a_sentence()
    {
        await StartAsync();
        agent.Environment["Agent__Urls"] = app!.Urls.Single();

        var answer = await agent.RunAsync("run");

        answer.Exit.ShouldBe(1);
        answer.Error.ShouldContain("Stop the other program or set Agent:Urls.");
        answer.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task A_scheduled_backup_is_fired_by_the_scheduler()
    {
        // Every second; the newest backup is of the future, so that the watch has nothing to catch up.
        agent.Environment["Postgres__FullBackup__Schedule"] = "* * * * * ?";
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day.AddYears(100)));
        await StartAsync();

        await taking.Task;

        backup.SetResult(FakeSource.Backup(FakeSource.Day));
    }

    public async ValueTask DisposeAsync()
    {
        backup.TrySetCanceled(Cancelled);
        if (app is not null)
        {
            await app.StopAsync(Cancelled);
            await app.DisposeAsync();
        }

        client.Dispose();
        agent.Dispose();
    }

    private async Task StartAsync(FeatureList? features = null)
    {
        app = DaemonHost.Build(AgentConfiguration.Load(agent.Surroundings, null, features ?? agent.Features, agent.Scrubber), agent.Surroundings, agent.Scrubber);
        await app.StartAsync(Cancelled);
        client.BaseAddress = new Uri(app.Urls.Single());
    }
}
