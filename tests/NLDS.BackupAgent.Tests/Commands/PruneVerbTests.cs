using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Features;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Retention;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Schedules;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Tests.Fakes;

namespace NLDS.BackupAgent.Tests.Commands;

public sealed class PruneVerbTests : IDisposable
{
    private readonly AgentUnderTest agent = new();
    private readonly ManualTime time = new(new DateTimeOffset(2025, 11, 23, 2, 0, 0, TimeSpan.Zero));
    private readonly MemoryObjectStore store = new();
    private readonly RetainedSource source = new("postgres");

    public PruneVerbTests()
    {
        agent.Time = time;
        agent.Features.Add<RetentionOptions>("Retention", (services, configuration) =>
        {
            services.AddSingleton<IObjectStore>(store);
            services.AddSingleton<IRetainedSource>(source);
            services.AddRepository(configuration);
            services.AddRetention(configuration);
        });
    }

    public void Dispose() => agent.Dispose();

    [Fact]
    public async Task A_plan_of_a_year_of_daily_backups_keeps_forty_seven_each_with_its_reasons_and_removes_nothing()
    {
        await source.TakeDailyAsync(store, time, 365);

        var answer = await agent.RunAsync("prune", "--plan");

        answer.Exit.ShouldBe(0, answer.Error);
        var lines = answer.Out.Split('\n');
        var kept = lines.Where(line => line.Contains("  keep  ", StringComparison.Ordinal)).ToList();
        kept.Count.ShouldBe(47);
        kept[^1].ShouldContain("newest, daily 2026-11-22, weekly 2026-W47, monthly 2026-11");
        kept[0].ShouldContain("postgres  20251231_020000  326 d 2 h");
        kept[0].ShouldEndWith("monthly 2025-12");
        lines.Count(line => line.Contains("  goes  ", StringComparison.Ordinal)).ShouldBe(365 - 47);
        answer.Out.ShouldContain("47 of 365 backups are kept (30 daily, 12 weekly, 12 monthly), 318 would go");
        answer.Out.ShouldContain("Without --plan this is refused: 318 of 365 backups of postgres would be removed, more than half.");
        (await CountAsync()).ShouldBe(365);
    }

    [Fact]
    public async Task A_prune_of_more_than_half_wants_a_human_who_says_so()
    {
        await source.TakeDailyAsync(store, time, 365);

        var refused = await agent.RunAsync("prune", "postgres");
        refused.Exit.ShouldBe(1);
        refused.Error.ShouldContain("run 'prune postgres --allow-large'");
        (await CountAsync()).ShouldBe(365);

        var done = await agent.RunAsync("prune", "postgres", "--allow-large");
        done.Exit.ShouldBe(0, done.Error);
        done.Out.ShouldContain("Removed 318 backups");
        (await CountAsync()).ShouldBe(47);

        var again = await agent.RunAsync("prune");
        again.Exit.ShouldBe(0, again.Error);
        again.Out.ShouldContain("Removed 0 backups, 0 objects in all.");
    }

    [Fact]
    public async Task The_document_says_the_same()
    {
        await source.TakeDailyAsync(store, time, 100);

        var plan = JsonDocument.Parse((await agent.RunAsync("prune", "--plan", "--json")).Out).RootElement.GetProperty("sources")[0];
        plan.GetProperty("pruned").GetBoolean().ShouldBeFalse();
        plan.GetProperty("backups").GetArrayLength().ShouldBe(100);
        plan.GetProperty("freedBytes").GetInt64().ShouldBeGreaterThan(0);

        var done = JsonDocument.Parse((await agent.RunAsync("prune", "--json", "--allow-large")).Out).RootElement.GetProperty("sources")[0];
        done.GetProperty("pruned").GetBoolean().ShouldBeTrue();
        done.GetProperty("removedBackups").GetInt32().ShouldBe(plan.GetProperty("backups").EnumerateArray().Count(b => !b.GetProperty("kept").GetBoolean()));
    }

    [Fact]
    public async Task A_held_backup_survives_and_a_released_one_does_not()
    {
        await source.TakeDailyAsync(store, time, 40);
        agent.Environment["Retention__KeepDaily"] = "25";
        agent.Environment["Retention__KeepMonthly"] = "0";
        agent.Environment["Retention__KeepWeekly"] = "0";

        (await agent.RunAsync("hold", "20251124_020000", "--reason", "audit 2026")).Out.Trim().ShouldBe("Backup 20251124_020000 of postgres is held.");
        (await agent.RunAsync("hold", "20251124_020000")).Out.ShouldContain("was held already");
        var pruned = await agent.RunAsync("prune");
        pruned.Exit.ShouldBe(0, pruned.Error);
        pruned.Out.ShouldContain("held: audit 2026");
        (await CountAsync()).ShouldBe(26);

        (await agent.RunAsync("release", "20251124_020000", "postgres")).Out.Trim().ShouldBe("Backup 20251124_020000 of postgres is released.");
        (await agent.RunAsync("release", "20251124_020000")).Out.ShouldContain("was not held");
        await agent.RunAsync("prune");
        (await CountAsync()).ShouldBe(25);
    }

    [Theory]
    [InlineData("hold 20200101_020000", "There is no backup 20200101_020000. The newest are 20251123_020000 (postgres)")]
    [InlineData("release yesterday", "'yesterday' is not a backup's id")]
    [InlineData("hold", "Required argument missing")]
    public async Task A_backup_that_is_not_there_is_a_sentence_and_exit_code_2(string line, string says)
    {
        await source.TakeDailyAsync(store, time, 2);

        var answer = await agent.RunAsync(line.Split(' '));

        answer.Exit.ShouldBe(2);
        answer.Error.ShouldContain(says);
        answer.Out.ShouldBeEmpty();
    }

    [Fact]
    public async Task Without_a_repository_nothing_is_pruned()
    {
        var answer = await agent.RunAsync("prune");

        answer.Exit.ShouldBe(3);
        answer.Error.ShouldContain("There is no repository in memory");
    }

    [Fact]
    public void Faults_of_the_policy_are_told_at_once()
    {
        agent.Environment["Retention__KeepDaily"] = "-2";
        agent.Environment["Retention__KeepWithin"] = "7";
        agent.Environment["Retention__SweepAfter"] = "00:00:01";
        agent.Environment["Retention__KeepDayly"] = "3";

        agent.Faults().ShouldBe(
        [
            "Retention:KeepDayly is not a known key. Did you mean Retention:KeepDaily?",
            "Retention:KeepWithin is '7', which is not a duration such as 00:00:05 (hours:minutes:seconds).",
            "Retention:KeepDaily is -2. Write how many to keep, 0 for none or -1 for all.",
            "Retention:SweepAfter is 00:00:01. Write 01:00:00 or more, for example 3.00:00:00 for three days.",
        ], ignoreOrder: true);
    }

    [Fact]
    public async Task A_scheduled_prune_that_is_refused_is_a_failed_run()
    {
        await source.TakeDailyAsync(store, time, 365);
        var configuration = agent.Load();
        var fake = new SourceCatalog([agent.Source], [agent.Source], configuration);
        var pruner = new Pruner(new BackupRepository(store, new RepositoryOptions(), time), new RetentionOptions(), NullLogger<Pruner>.Instance);
        var schedule = new JobSchedule("postgres", "postgres-prune", JobKind.Prune, new Quartz.CronExpression("0 30 4 * * ?"));

        var job = PruneJobs.Of(fake, [schedule], [source], () => pruner, () => new RetentionOptions()).ShouldHaveSingleItem();

        job.Name.ShouldBe("postgres-prune");
        await Should.ThrowAsync<SourceException>(() => job.RunAsync(new Progress<TransferProgress>(), TestContext.Current.CancellationToken));
        await pruner.PruneAsync(source, allowLarge: true, limit: null, TestContext.Current.CancellationToken);
        (await job.RunAsync(new Progress<TransferProgress>(), TestContext.Current.CancellationToken)).Summary.ShouldBe("kept 47 of 47 backups and removed 0 objects");
    }

    private async Task<int> CountAsync()
    {
        var count = 0;
        await foreach (var entry in store.ListAsync("postgres/", null, CancellationToken.None))
        {
            count += entry.Key.Name == "manifest.json" ? 1 : 0;
        }

        return count;
    }
}
