using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Recovery.Drills;
using NLDS.BackupAgent.Recovery.Marks;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Recovery.Tests.Drills;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing.Sweeps;

namespace NLDS.BackupAgent.Recovery.Tests.Sweeps;

/// <summary>What recoveries, drills and marks write down, broken at each call to the store.</summary>
public sealed class RecoverySweepTests(DrilledRepository drilled) : IClassFixture<DrilledRepository>
{
    public static TheoryData<Way> Ways => [.. Testing.Sweeps.Ways.All];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_mark_is_there_whole_or_not(Way way) => (await SweepAsync(new MarkOperation(), way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_drill_is_reported_or_not(Way way) => (await SweepAsync(new ReportOperation(), way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_run_comes_to_its_end_and_no_step_is_done_twice_that_is_written_down(Way way) => (await SweepAsync(new RunOperation(), way)).ShouldBeGreaterThan(0);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_drill_passes_or_says_that_the_store_failed_and_leaves_nothing(Way way)
    {
        using var operation = new DrillOperation(drilled.Store, mayLookDamaged: way == Way.StaleListing);
        (await new Sweep(operation).RunAsync(way)).ShouldBeGreaterThan(0);
    }

    private static Task<int> SweepAsync(SweptOperation operation, Way way) => new Sweep(operation) { Samples = int.MaxValue }.RunAsync(way);

    private static BackupRepository Over(IObjectStore store) => new(store, new RepositoryOptions(), TimeProvider.System);

    /// <summary>A mark over one source, with one of the schedule that has had its time.</summary>
    private sealed class MarkOperation : SweptOperation
    {
        public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
        {
            var marks = new RecoveryMarks(Over(store), TimeProvider.System);
            foreach (var (name, isScheduled) in ((string, bool)[])[("scheduled", true), ("moment", false)])
            {
                // Whoever does not know whether it was made looks first.
                if (await marks.FindAsync(name, cancellationToken) is null)
                {
                    await marks.MarkAsync(name, [new MarkedSource()], "test", isScheduled, cancellationToken);
                }
            }

            await marks.ForgetAsync(TimeSpan.Zero, cancellationToken);
        }

        public override async Task RequireDoneAsync(IObjectStore store)
        {
            var marks = new RecoveryMarks(Over(store), TimeProvider.System);
            var mark = (await marks.ListAsync(CancellationToken.None)).ShouldHaveSingleItem();
            mark.Name.ShouldBe("moment");
            mark.Places["log"].To.ShouldBe("moment");
        }
    }

    /// <summary>The report of a second drill.</summary>
    private sealed class ReportOperation : SweptOperation
    {
        private static readonly DateTimeOffset Began = new(2026, 11, 23, 3, 30, 0, TimeSpan.Zero);

        public override async Task<MemoryObjectStore> PrepareAsync()
        {
            var store = new MemoryObjectStore();
            await WriteAsync(store, CancellationToken.None);
            return store;
        }

        public override Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken) => WriteAsync(store, cancellationToken);

        public override async Task RequireUnbrokenAsync(IObjectStore store)
        {
            foreach (var report in await new DrillReports(Over(store)).ReadAsync(CancellationToken.None))
            {
                (await store.HeadAsync(new ObjectKey($"{DrillReports.Folder}/{report.Id}/report.html"), CancellationToken.None)).ShouldNotBeNull("the document is there, and its page is not");
            }
        }

        public override async Task RequireDoneAsync(IObjectStore store)
        {
            await RequireUnbrokenAsync(store);
            (await new DrillReports(Over(store)).ReadAsync(CancellationToken.None)).Count.ShouldBeGreaterThanOrEqualTo(2);
        }

        private static async Task WriteAsync(IObjectStore store, CancellationToken cancellationToken)
        {
            var reports = new DrillReports(Over(store));
            var id = await reports.NewIdAsync(Began, cancellationToken);
            var earlier = await reports.ReadAsync(cancellationToken);
            await reports.WriteAsync(DrillConclusion.Of(id, Began, Began, "test", [], new DrillOptions(), DrillMode.Local), earlier, cancellationToken);
        }
    }

    /// <summary>A run of two steps.</summary>
    private sealed class RunOperation : SweptOperation
    {
        private readonly List<string> effects = [];

        public override Task<MemoryObjectStore> PrepareAsync()
        {
            effects.Clear();
            return base.PrepareAsync();
        }

        public override async Task RunAsync(FaultyObjectStore store, bool isForEver, CancellationToken cancellationToken)
        {
            var repository = Over(store);
            var journal = new RunJournal(repository);
            var engine = new RunbookEngine(journal, new RecoveryReports(repository), TimeProvider.System, NullLogger<RunbookEngine>.Instance);
            var run = await journal.FindUnfinishedAsync(cancellationToken);
            if (run is null && effects.Count == 2)
            {
                return; // it had ended, and only that it had was not heard
            }

            var isContinued = run is not null;
            run ??= await BeginAsync(journal, cancellationToken);
            await engine.RunAsync(run, isContinued, Book(), "test", new RecoveryWatch(_ => { }, new Progress<TransferProgress>()), cancellationToken);
        }

        public override async Task RequireDoneAsync(IObjectStore store)
        {
            effects.ShouldBe(["one", "two"]);
            (await new RunJournal(Over(store)).FindUnfinishedAsync(CancellationToken.None)).ShouldBeNull();
        }

        private static async Task<JournaledRun> BeginAsync(RunJournal journal, CancellationToken cancellationToken)
        {
            var begun = new BegunRun
            {
                Id = await journal.NewIdAsync(TimeProvider.System.GetUtcNow(), cancellationToken),
                Scenario = "database",
                Arguments = new Dictionary<string, string>(),
                BegunAt = TimeProvider.System.GetUtcNow(),
                By = "test",
                Facts = new Dictionary<string, string>(),
                Steps = [],
            };
            await journal.BeginAsync(begun, cancellationToken);
            return new JournaledRun(begun, []);
        }

        private Runbook Book() => new([Step("one"), Step("two")])
        {
            RecoveryTimeObjective = TimeSpan.FromMinutes(10),
            RecoveryPointObjective = TimeSpan.FromMinutes(5),
            RecoveryPoint = TimeSpan.Zero,
        };

        private RunbookStep Step(string name) => new()
        {
            Name = name,
            What = name,
            Estimate = TimeSpan.FromSeconds(1),
            Timeout = TimeSpan.FromMinutes(1),
            TimeoutKey = "Recovery:Timeouts",
            Do = (_, _) =>
            {
                effects.Add(name);
                return Task.FromResult("Done.");
            },
            Prove = (_, _) => Task.FromResult(effects.Contains(name) ? "There." : null),
        };
    }
}

/// <summary>The repository of a Redis that is gone.</summary>
public sealed class DrilledRepository : IAsyncLifetime
{
    internal MemoryObjectStore Store { get; } = new();

    public async ValueTask InitializeAsync()
    {
        await using var server = await RedisServer.StartAsync();
        await RedisDrillTests.WriteAsync(server, Store);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
