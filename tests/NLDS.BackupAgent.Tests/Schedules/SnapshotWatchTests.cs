using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Schedules;

public sealed class SnapshotWatchTests : IAsyncDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly ManualTime time = new(FakeSource.Day.AddHours(3));
    private readonly JobLedger ledger;
    private readonly CatalogView catalog = new();
    private readonly SnapshotWatch watch;
    private readonly LoopPulses pulses;
    private int taken;

    public SnapshotWatchTests()
    {
        pulses = new LoopPulses(time);
        var configuration = agent.Load();
        var sources = new SourceCatalog([agent.Source], [agent.Source], configuration);
        ledger = new JobLedger([.. SnapshotJobs.Of(sources, configuration, catalog)], time);
        var runner = new JobRunner(ledger, new JournalKeeper(ledger, time, pulses, NullLogger<JournalKeeper>.Instance), NullLogger<JobRunner>.Instance);
        watch = new SnapshotWatch(sources, ledger, catalog, runner, time, NullLogger<SnapshotWatch>.Instance, pulses);
        agent.Source.Status = new ContinuousStatus { State = "streaming", IsStreaming = true };
        agent.Source.Take = _ =>
        {
            taken++;
            return Task.FromResult(FakeSource.Backup(time.GetUtcNow()));
        };
    }

    private JobState Runs => ledger[ledger.Jobs[0]];

    [Fact]
    public async Task The_first_backup_is_taken_at_once_and_only_once()
    {
        await StartAsync();
        await LooksAsync(3);

        taken.ShouldBe(1);
        catalog["postgres"]!.Newest!.Id.Began.ShouldBe(FakeSource.Day.AddHours(3));
    }

    [Fact]
    public async Task Nothing_is_concluded_from_a_repository_that_cannot_be_read()
    {
        agent.Source.Broken = new SourceException("The store does not answer.", isPermanent: false);
        await StartAsync();
        await LooksAsync(2);
        taken.ShouldBe(0);

        agent.Source.Broken = null;
        await LooksAsync(1);
        taken.ShouldBe(1);
    }

    [Fact]
    public async Task A_backup_missed_while_no_agent_ran_is_caught_up()
    {
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day.AddDays(-1)));

        await StartAsync();

        taken.ShouldBe(1);
    }

    [Fact]
    public async Task A_punctual_backup_of_an_earlier_agent_is_enough()
    {
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day));

        await StartAsync();
        await LooksAsync(2);

        taken.ShouldBe(0);
    }

    [Fact]
    public async Task A_failed_backup_is_counted_and_taken_again_after_a_wait()
    {
        var good = agent.Source.Take;
        agent.Source.Take = _ => throw new SourceException("Refused.", isPermanent: false);
        await StartAsync();
        await LooksAsync(11);
        Runs.Failures.ShouldBe(1);
        Runs.LastError.ShouldBe("Refused.");

        agent.Source.Take = good;
        await LooksAsync(1);

        taken.ShouldBe(1);
        Runs.Failures.ShouldBe(1);
        Runs.LastError.ShouldBeNull();
    }

    [Fact]
    public async Task A_gap_in_the_log_is_healed_by_a_fresh_backup()
    {
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day));
        await StartAsync();
        agent.Source.Status = agent.Source.Status with { SnapshotNeeded = "a gap at 0/1" };

        await LooksAsync(3);

        taken.ShouldBe(1);
    }

    [Fact]
    public async Task A_backup_that_another_process_took_is_seen_within_five_minutes()
    {
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day));
        await StartAsync();
        agent.Source.Backups.Add(FakeSource.Backup(FakeSource.Day.AddHours(2)));

        await LooksAsync(60);

        catalog["postgres"]!.Backups.ShouldBe(2);
        catalog["postgres"]!.StoredBytes.ShouldBe(2 << 20);
    }

    [Fact]
    public async Task A_watch_that_waits_for_the_store_or_for_a_backup_is_alive_for_days()
    {
        var (listing, asked) = (new TaskCompletionSource(), new TaskCompletionSource());
        var (taking, backup) = (new TaskCompletionSource(), new TaskCompletionSource<SealedBackup>());
        agent.Source.Listing = () =>
        {
            asked.TrySetResult();
            return listing.Task;
        };
        agent.Source.Take = _ =>
        {
            taking.TrySetResult();
            return backup.Task;
        };
        await watch.StartAsync(TestContext.Current.CancellationToken);

        await asked.Task;
        time.Advance(TimeSpan.FromDays(1));
        pulses.Overdue.ShouldBe([("the watch over backups of postgres", TimeSpan.Zero)]);

        listing.SetResult();
        await taking.Task;
        time.Advance(TimeSpan.FromDays(1));
        pulses.Overdue.ShouldBe([("the watch over backups of postgres", TimeSpan.Zero)]);
        backup.SetResult(FakeSource.Backup(FakeSource.Day));
    }

    [Fact]
    public void A_job_does_not_begin_twice()
    {
        ledger.TryBegin(ledger.Jobs[0]).ShouldBeTrue();
        ledger.TryBegin(ledger.Jobs[0]).ShouldBeFalse();
    }

    public async ValueTask DisposeAsync()
    {
        await watch.StopAsync(TestContext.Current.CancellationToken);
        watch.Dispose();
        agent.Dispose();
    }

    private async Task StartAsync()
    {
        await watch.StartAsync(TestContext.Current.CancellationToken);
        await time.SomebodyWaitsAsync(wait => wait == SnapshotWatch.LookEvery);
    }

    private async Task LooksAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            time.Advance(SnapshotWatch.LookEvery);
            await time.SomebodyWaitsAsync(wait => wait == SnapshotWatch.LookEvery);
        }
    }
}
