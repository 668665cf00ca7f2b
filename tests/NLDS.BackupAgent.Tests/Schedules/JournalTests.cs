using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Daemon;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Journal;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Schedules;

/// <summary>The book of runs over several lives of the agent.</summary>
public sealed class JournalTests
{
    private readonly MemoryObjectStore store = new();
    private readonly ManualTime time = new(FakeSource.Day);

    [Fact]
    public async Task A_run_that_was_killed_counts_as_failed_in_the_next_life_and_the_count_never_falls()
    {
        await using (var first = new Life(store, time))
        {
            await first.StartAsync();
            first.State.Failures.ShouldBe(0);
            first.Work = () => throw new SourceException("Refused.", isPermanent: false);
            await first.RunAsync();
            first.State.Failures.ShouldBe(1);

            first.Work = () => new TaskCompletionSource<JobResult>().Task;
            _ = first.RunAsync();
            await first.BegunAsync();
            await first.KillAsync();
        }

        await using var second = new Life(store, time);
        await second.StartAsync();

        second.State.Failures.ShouldBe(2);
        second.State.LastError.ShouldNotBeNull().ShouldContain("killed");
        second.State.Runs.Select(run => run.Outcome).ShouldBe([RunOutcome.Failed, RunOutcome.Killed]);

        await second.RunAsync();
        second.State.Failures.ShouldBe(2);
        second.State.LastError.ShouldBeNull();
        await using var third = new Life(store, time);
        await second.DisposeAsync();
        await third.StartAsync();
        third.State.Failures.ShouldBe(2);
        third.State.Runs[^1].Backup.ShouldBe("20260726_020000");
        third.State.LastDuration.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public async Task A_run_that_is_ours_is_not_mistaken_for_a_killed_one()
    {
        await using var life = new Life(store, time) { Work = () => new TaskCompletionSource<JobResult>().Task };
        await life.StartAsync();
        _ = life.RunAsync();
        await life.BegunAsync();

        await life.LookAsync();

        life.State.Failures.ShouldBe(0);
        (await life.Journal.ReadAsync("job", CancellationToken.None)).Document.Current.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_run_begins_and_ends_whatever_becomes_of_its_marks_and_the_next_write_makes_them_good()
    {
        await using var life = new Life(store, time);
        await life.StartAsync();
        life.Store.FailWhen((_, operation) => operation == "replace" ? Fault.Transient : null);
        await life.RunAsync();
        life.Runs.ShouldBe(1);

        life.Store.FailWhen((_, _) => null);
        await life.RunAsync();

        (await life.Journal.ReadAsync("job", CancellationToken.None)).Document.Runs.ShouldBe(2);
    }

    [Fact]
    public async Task A_begin_mark_that_hangs_delays_its_run_by_seconds_only()
    {
        await using var life = new Life(store, time);
        await life.StartAsync();
        life.Store.FailWhen((_, operation) => operation == "replace" ? Fault.Hang : null);

        var run = life.RunAsync();
        await life.Store.WaitForHangAsync();
        time.Advance(TimeSpan.FromSeconds(5));
        await life.Store.WaitForHangAsync();
        life.Runs.ShouldBe(1);
        time.Advance(TimeSpan.FromSeconds(5));

        await run;
        life.Store.FailWhen((_, _) => null);
    }

    [Fact]
    public async Task Until_the_journal_was_read_the_count_is_not_known_and_never_said_lower_than_before()
    {
        await using (var first = new Life(store, time) { Work = () => throw new SourceException("Refused.", isPermanent: false) })
        {
            await first.StartAsync();
            await first.RunAsync();
        }

        await using var second = new Life(store, time) { Work = () => throw new SourceException("Refused.", isPermanent: false) };
        second.Store.FailFrom(1, Fault.Transient);
        await second.StartAsync(withLease: false);
        second.State.Failures.ShouldBeNull();
        await second.RunAsync();
        second.State.Failures.ShouldBe(1);

        second.Store.FailWhen((_, _) => null);
        await second.HoldAsync();
        await second.LookAsync();

        second.State.Failures.ShouldBe(2);
    }

    [Fact]
    public async Task An_agent_without_the_lease_reads_the_journal_and_neither_runs_nor_writes()
    {
        await using var first = new Life(store, time);
        await first.StartAsync();
        await first.RunAsync();
        var before = await first.Journal.ReadAsync("job", CancellationToken.None);

        await using var second = new Life(store, time);
        await second.StartAsync(withLease: false);
        await second.RunAsync();

        second.Runs.ShouldBe(0);
        second.State.Failures.ShouldBe(0);
        second.State.RunningSince.ShouldBeNull();
        second.State.Runs.Count.ShouldBe(1);
        (await second.Journal.ReadAsync("job", CancellationToken.None)).Document.Runs.ShouldBe(before.Document.Runs);
    }

    [Fact]
    public async Task A_damaged_journal_costs_memory_and_no_backup()
    {
        await store.ReplaceAsync(new ObjectKey("journal/job.json"), "{}"u8.ToArray(), CancellationToken.None);
        await using var life = new Life(store, time);
        await life.StartAsync();

        await life.RunAsync();

        life.State.Failures.ShouldBe(0);
        (await life.Journal.ReadAsync("job", CancellationToken.None)).WasDamaged.ShouldBeFalse();
    }

    /// <summary>One process of the agent.</summary>
    private sealed class Life : IAsyncDisposable
    {
        private readonly ManualTime time;
        private readonly WriterLeases leases;
        private readonly JobLedger ledger;
        private readonly JournalKeeper keeper;
        private readonly JobRunner runner;
        private LeaseHold? hold;
        private bool disposed;

        public Life(IObjectStore store, ManualTime time)
        {
            this.time = time;
            Store = new FaultyObjectStore(store);
            var repository = new BackupRepository(Store, new RepositoryOptions(), time);
            leases = new WriterLeases(repository, AgentIdentity.OfThisProcess("life"), NullLogger<WriterLeases>.Instance);
            Journal = new JobJournal(new BackupRepository(store, new RepositoryOptions(), time));
            var source = new FakeSource("postgres");
            Job job = new("job", new SourceEntry("postgres", IsEnabled: true, source, source), JobKind.Backup, null, (_, _) => CountedAsync());
            ledger = new JobLedger([job], time, isJournaled: true);
            keeper = new JournalKeeper(ledger, time, new LoopPulses(time), NullLogger<JournalKeeper>.Instance, new JobJournal(repository), leases);
            runner = new JobRunner(ledger, keeper, NullLogger<JobRunner>.Instance, leases);
        }

        public FaultyObjectStore Store { get; }

        /// <summary>As the store has it, whatever becomes of this life's calls.</summary>
        public JobJournal Journal { get; }

        public Func<Task<JobResult>> Work { get; set; } = () => Task.FromResult(new JobResult("done") { Backup = "20260726_020000", Bytes = 3 });

        public int Runs { get; private set; }

        public JobState State => ledger[ledger.Jobs[0]];

        public async Task StartAsync(bool withLease = true)
        {
            if (withLease)
            {
                await HoldAsync();
            }

            await keeper.StartAsync(CancellationToken.None);
        }

        public async Task HoldAsync() => hold = (await leases.For("postgres").TryHoldAsync(CancellationToken.None)).Hold.ShouldNotBeNull();

        public Task RunAsync() => runner.RunAsync(ledger.Jobs[0], "test", CancellationToken.None);

        public Task BegunAsync() => Testing.Eventually.TrueAsync(() => Runs > 0 && State.RunningSince is not null, "the run has begun");

        /// <summary>Lets the keeper look once more.</summary>
        public async Task LookAsync()
        {
            await time.SomebodyWaitsAsync(wait => wait == JournalKeeper.LookEvery);
            time.Advance(JournalKeeper.LookEvery);
            await time.SomebodyWaitsAsync(wait => wait == JournalKeeper.LookEvery);
        }

        /// <summary>The lease is given back, which a killed process does not do; that is other tests' matter.</summary>
        public async Task KillAsync()
        {
            disposed = true;
            await keeper.StopAsync(CancellationToken.None);
            keeper.Dispose();
            await leases.DisposeAsync();
            Store.FailFrom(1, Fault.Transient);
        }

        public async ValueTask DisposeAsync()
        {
            if (!disposed)
            {
                disposed = true;
                await keeper.StopAsync(CancellationToken.None);
                keeper.Dispose();
                await (hold?.DisposeAsync() ?? ValueTask.CompletedTask);
            }
        }

        private Task<JobResult> CountedAsync()
        {
            Runs++;
            return Work();
        }
    }
}
