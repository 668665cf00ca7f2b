using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Schedules;

public sealed class JobRunnerTests
{
    private readonly ManualTime time = new(FakeSource.Day);
    private readonly JobLedger ledger;
    private readonly JobRunner runner;
    private Func<Task<JobResult>> work = () => Task.FromResult(new JobResult("kept 30 of 31 backups"));
    private string? obstacle;

    public JobRunnerTests()
    {
        var source = new FakeSource("postgres");
        Job prune = new("postgres-prune", new SourceEntry("postgres", IsEnabled: true, source, source), JobKind.Prune, null, (_, _) => work()) { FindObstacleAsync = _ => Task.FromResult(obstacle) };
        ledger = new JobLedger([prune], time);
        runner = new JobRunner(ledger, new JournalKeeper(ledger, time, new LoopPulses(time), NullLogger<JournalKeeper>.Instance), NullLogger<JobRunner>.Instance);
    }

    private JobState State => ledger[ledger.Jobs[0]];

    [Fact]
    public async Task Work_of_any_kind_is_timed_and_its_success_is_noted()
    {
        work = () =>
        {
            time.Advance(TimeSpan.FromSeconds(7));
            return Task.FromResult(new JobResult("kept 30 of 31 backups"));
        };

        await RunAsync();

        State.LastDuration.ShouldBe(TimeSpan.FromSeconds(7));
        State.LastSuccess.ShouldBe(FakeSource.Day.AddSeconds(7));
        new CatalogView().LastSuccess(ledger.Jobs[0], State).ShouldBe(State.LastSuccess);
    }

    [Fact]
    public async Task Damage_that_a_run_finds_is_a_failed_run()
    {
        work = () => throw new NotRestorableException("The object 'x' is damaged.");

        await RunAsync();

        State.Failures.ShouldBe(1);
        State.LastError.ShouldBe("The object 'x' is damaged.");
        State.RunningSince.ShouldBeNull();
    }

    [Fact]
    public async Task A_run_that_this_machine_cannot_do_is_neither_begun_nor_failed()
    {
        obstacle = "There is no PostgreSQL 15 on this machine.";
        work = () => throw new InvalidOperationException("begun");

        await RunAsync();

        (State.Failures ?? 0).ShouldBe(0);
        State.Runs.ShouldBeEmpty();
        State.RunningSince.ShouldBeNull();
    }

    [Fact]
    public async Task A_run_that_is_under_way_is_not_begun_again()
    {
        var (runs, end) = (0, new TaskCompletionSource<JobResult>());
        work = () =>
        {
            runs++;
            return end.Task;
        };
        var first = RunAsync();

        await RunAsync();
        end.SetResult(new JobResult("done"));
        await first;

        runs.ShouldBe(1);
    }

    private Task RunAsync() => runner.RunAsync(ledger.Jobs[0], "scheduled", TestContext.Current.CancellationToken);
}
