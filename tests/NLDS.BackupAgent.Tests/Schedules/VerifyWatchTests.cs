using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Verification;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Schedules;

public sealed class VerifyWatchTests : IAsyncDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly ManualTime time = new(FakeSource.Day);
    private readonly CatalogView catalog = new();
    private readonly JobLedger ledger;
    private readonly JobRunner runner;
    private readonly VerifyWatch watch;

    public VerifyWatchTests()
    {
        agent.Features.Add<VerificationOptions>("Verification", (_, _) => { }, new ScheduleKeys("verify", "Schedule", "TimeZone", JobKind.Verify));
        var configuration = agent.Load();
        var sources = new SourceCatalog([agent.Source], [agent.Source], configuration);
        var verify = new VerifyJobs(sources, configuration, catalog, Options.Create(new VerificationOptions()), time);
        ledger = new JobLedger([.. SnapshotJobs.Of(sources, configuration, catalog), .. verify.All()], time);
        runner = new JobRunner(ledger, new JournalKeeper(ledger, time, new LoopPulses(time), NullLogger<JournalKeeper>.Instance), NullLogger<JobRunner>.Instance);
        watch = new VerifyWatch(ledger, catalog, verify, runner, time, new LoopPulses(time));
    }

    private Job Verify => ledger.Jobs.Single(job => job.Kind == JobKind.Verify);

    [Fact]
    public void Every_source_has_the_job_under_its_own_name()
    {
        Verify.Name.ShouldBe("postgres-verify");
        Verify.Schedule!.Cron.CronExpressionString.ShouldBe("0 0 5 * * ?");
    }

    [Fact]
    public async Task A_scheduled_run_that_finds_damage_is_a_failure_that_names_it()
    {
        agent.Source.Damage.Add(new DamageFinding("postgres/wal/000", "is missing.", "restore to 14:00 is impossible"));

        await runner.RunAsync(Verify, "scheduled", TestContext.Current.CancellationToken);

        ledger[Verify].Failures.ShouldBe(1);
        ledger[Verify].LastError!.ShouldContain("postgres/wal/000: is missing. Cost: restore to 14:00 is impossible");
        catalog["postgres"]!.Verification!.Report.Damage.ShouldHaveSingleItem();
        agent.Source.Verified.ShouldBe(VerifyScope.Daily(TimeSpan.FromDays(30)));

        agent.Source.Damage.Clear();
        await runner.RunAsync(Verify, "scheduled", TestContext.Current.CancellationToken);

        ledger[Verify].LastError.ShouldBeNull();
        catalog["postgres"]!.Verification!.Report.Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_new_backup_is_read_back_within_minutes_and_once()
    {
        await watch.StartAsync(TestContext.Current.CancellationToken);
        catalog.Sealed("postgres", FakeSource.Backup(FakeSource.Day));
        await LooksAsync(3);
        agent.Source.Verified.ShouldBeNull("it was sealed a minute ago");

        await LooksAsync(2);
        agent.Source.Verified.ShouldBe(VerifyScope.New with { Heals = true });

        agent.Source.Verifications = 0;
        await LooksAsync(5);
        agent.Source.Verifications.ShouldBe(0);
    }

    [Fact]
    public async Task It_waits_while_something_else_is_done_for_the_source()
    {
        catalog.Sealed("postgres", FakeSource.Backup(FakeSource.Day));
        ledger.TryBegin(ledger.Jobs[0]);
        await watch.StartAsync(TestContext.Current.CancellationToken);
        await LooksAsync(10);
        agent.Source.Verified.ShouldBeNull();

        ledger.Succeed(ledger.Jobs[0], new JobResult("done"));
        await LooksAsync(1);
        agent.Source.Verified.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_backup_that_was_verified_is_left_alone_until_the_schedule()
    {
        catalog.Read(new SourceListing("postgres", [FakeSource.Backup(FakeSource.Day) with { VerifiedAt = FakeSource.Day }], null));
        await watch.StartAsync(TestContext.Current.CancellationToken);
        await LooksAsync(10);

        agent.Source.Verified.ShouldBeNull();
        catalog["postgres"]!.NewestVerified!.Id.Began.ShouldBe(FakeSource.Day);
    }

    public async ValueTask DisposeAsync()
    {
        await watch.StopAsync(CancellationToken.None);
        watch.Dispose();
        agent.Dispose();
    }

    private async Task LooksAsync(int times)
    {
        for (var look = 0; look < times; look++)
        {
            await time.SomebodyWaitsAsync(due => due == VerifyWatch.LookEvery);
            time.Advance(VerifyWatch.LookEvery);
        }

        await time.SomebodyWaitsAsync(due => due == VerifyWatch.LookEvery);
    }
}
