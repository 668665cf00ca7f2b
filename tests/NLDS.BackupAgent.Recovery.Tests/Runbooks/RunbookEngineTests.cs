using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Recovery.Runbooks;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Recovery.Tests.Runbooks;

/// <summary>A runbook that is ended behind each of its steps, and gone on with by another process.</summary>
public sealed class RunbookEngineTests
{
    private readonly BackupRepository repository = new(new MemoryObjectStore(), new RepositoryOptions(), TimeProvider.System);
    private readonly List<string> effects = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RunJournal Journal => new(repository);

    [Theory]
    [InlineData("did ")]
    [InlineData("wrote ")]
    public async Task A_run_that_is_killed_at_every_step_comes_to_the_same_end_and_does_nothing_twice(string killedWhen)
    {
        await BeginAsync();
        for (var step = 1; step <= 3; step++)
        {
            var killed = Engine();
            killed.Reached = place => _ = place.StartsWith(killedWhen, StringComparison.Ordinal) ? throw new KilledException() : 0;
            await Should.ThrowAsync<KilledException>(() => RunAsync(killed));
        }

        var (report, page) = await RunAsync(Engine());

        effects.ShouldBe(["one", "two", "three"]);
        report.Verdict.ShouldBe(RecoveryVerdict.Recovered);
        report.Phases.Select(phase => phase.Name).ShouldBe(["one", "two", "three"]);
        page.ShouldEndWith("report.html");
        (await Journal.FindUnfinishedAsync(Token)).ShouldBeNull();
    }

    [Fact]
    public async Task What_was_remembered_before_a_crash_is_taken_back_when_the_run_is_given_up()
    {
        await BeginAsync();
        var killed = Engine();
        killed.Reached = place => _ = place == "wrote two" ? throw new KilledException() : 0;
        await Should.ThrowAsync<KilledException>(() => RunAsync(killed));

        var (report, _) = await Engine().UndoAsync((await Journal.FindUnfinishedAsync(Token))!, Book(), "test", Watch(), Token);

        report.Verdict.ShouldBe(RecoveryVerdict.GivenUp);
        effects.ShouldBe(["one", "two", "undo two, which had 3", "undo one, which had 3"]);
    }

    [Theory]
    [InlineData("step-01.json")]
    [InlineData("begun.json")]
    public async Task A_run_of_which_something_is_missing_is_not_gone_on_with(string lost)
    {
        await BeginAsync();
        var killed = Engine();
        killed.Reached = place => _ = place == "wrote two" ? throw new KilledException() : 0;
        await Should.ThrowAsync<KilledException>(() => RunAsync(killed));
        await repository.OpenFolder("recovery/runs").DeleteAsync([$"20261129_030000/{lost}"], Token);

        (await Should.ThrowAsync<NotRestorableException>(() => Journal.FindUnfinishedAsync(Token))).Message.ShouldContain($"recovery/runs/20261129_030000/{lost}");

        effects.ShouldBe(["one", "two"]);
    }

    private RunbookEngine Engine() => new(Journal, new RecoveryReports(repository), TimeProvider.System, NullLogger<RunbookEngine>.Instance);

    private async Task<(RecoveryReport Report, string Page)> RunAsync(RunbookEngine engine) =>
        await engine.RunAsync((await Journal.FindUnfinishedAsync(Token))!, isContinued: true, Book(), "test", Watch(), Token);

    private Task BeginAsync() => Journal.BeginAsync(
        new BegunRun
        {
            Id = "20261129_030000",
            Scenario = "database",
            Arguments = new Dictionary<string, string>(),
            BegunAt = TimeProvider.System.GetUtcNow(),
            By = "test",
            Facts = new Dictionary<string, string> { ["replicas"] = "3" },
            Steps = [],
        },
        Token);

    private Runbook Book() => new([Step("one"), Step("two"), Step("three")])
    {
        RecoveryTimeObjective = TimeSpan.FromMinutes(10),
        RecoveryPointObjective = TimeSpan.FromMinutes(5),
        RecoveryPoint = TimeSpan.Zero,
    };

    private RunbookStep Step(string name) => new()
    {
        Name = name,
        What = $"do {name}",
        Estimate = TimeSpan.FromSeconds(1),
        Timeout = TimeSpan.FromMinutes(1),
        TimeoutKey = "Recovery:Timeouts",
        Do = (_, _) =>
        {
            effects.Add(name);
            return Task.FromResult($"{name} is done.");
        },
        Prove = (_, _) => Task.FromResult(effects.Contains(name) ? $"{name} is there." : null),
        Undo = (scope, _) =>
        {
            if (effects.Contains(name))
            {
                effects.Add($"undo {name}, which had {scope.Facts.Number("replicas")}");
            }

            return Task.FromResult($"{name} is taken back.");
        },
    };

    private static RecoveryWatch Watch() => new(_ => { }, new Progress<TransferProgress>());

    private sealed class KilledException : Exception;
}
