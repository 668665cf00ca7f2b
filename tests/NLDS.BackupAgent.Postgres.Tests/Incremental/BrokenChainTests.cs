using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Incremental;

/// <summary>Chains of which a part is missing or damaged: everybody says so, and nothing is restored from them.</summary>
public sealed class BrokenChainTests(RecordedChain chain) : IClassFixture<RecordedChain>, IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TemporaryDirectory directory = new();

    private string Full => chain.Backups[0];

    private string Middle => chain.Backups[1];

    private string Newest => chain.Backups[2];

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_whole_chain_is_listed_verified_planned_and_restored()
    {
        await using var agent = Agent.For(null, await chain.CopyAsync());

        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();

        (await agent.Source.ListAsync(None)).Backups.Select(b => b.Parent).ShouldBe([null, Full, Middle]);
        (await agent.Source.ListAsync(None)).Backups.ShouldAllBe(b => b.VerifiedAt != null);
        var plan = await agent.RestoreAsync(directory["data"]);
        plan.BackupId.ShouldBe(Newest);
        plan.Steps.Count(step => step.StartsWith("Apply incremental backup", StringComparison.Ordinal)).ShouldBe(2);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 17);
        (await Ledger.LastAsync(copy)).ShouldBe(RecordedChain.Last);
    }

    [Fact]
    public async Task A_chain_needs_the_room_of_the_database_and_not_that_of_all_its_backups()
    {
        await using var agent = Agent.For(null, chain.Store);
        var plan = await agent.PlanAsync(directory["data"]);
        var whole = plan.Backup.Chain.Max(b => b.Sealed.Manifest.Objects.Where(o => o.Name == "base.tar").Sum(b.RestoredBytes));
        var room = (long)((whole + ((long)plan.WalFiles.Count * plan.Backup.SegmentSize.Bytes)) * 1.05);
        whole.ShouldBeLessThan(plan.Backup.Chain.Sum(b => b.Sealed.ContentBytes));

        await using var enough = Agent.For(null, chain.Store, space: new TargetSpace(_ => ("disk", room)));
        (await enough.PlanAsync(directory["data"])).BackupId.ShouldBe(Newest);
        await using var little = Agent.For(null, chain.Store, space: new TargetSpace(_ => ("disk", room - 1_000_000)));
        (await Should.ThrowAsync<SourceException>(() => little.PlanAsync(directory["data"]))).Message.ShouldContain("Make room");
    }

    [Fact]
    public async Task To_verify_one_is_to_verify_what_it_builds_upon()
    {
        var store = await chain.CopyAsync();
        await using var agent = Agent.For(null, store);

        var report = await agent.VerifyAsync(VerifyScope.Latest);

        report.Damage.ShouldBeEmpty();
        (await agent.Source.ListAsync(None)).Backups.ShouldAllBe(b => b.VerifiedAt != null);
    }

    [Fact]
    public async Task Without_the_manifest_of_what_it_builds_upon_a_backup_is_damaged_and_an_older_one_is_restored()
    {
        var store = await chain.CopyAsync();
        await store.RemoveAsync(new ObjectKey($"postgres/full/{Middle}/manifest.json"));
        await using var agent = Agent.For(null, store);

        var why = $"Backup {Newest} holds only what changed since backup {Middle}, which is missing from the repository.";
        (await agent.Source.ListAsync(None)).Damaged.ShouldHaveSingleItem().Reason.ShouldBe(why);
        var plan = await agent.PlanAsync(directory["data"]);
        plan.BackupId.ShouldBe(Full);
        plan.Warnings.ShouldContain(w => w.Contains(why, StringComparison.Ordinal));
        (await Should.ThrowAsync<NotRestorableException>(() => agent.PlanAsync(directory["data"], backup: Newest))).Message.ShouldContain(why);
        (await agent.VerifyAsync()).Damage.ShouldContain(d => d.What == why);
    }

    [Fact]
    public async Task Without_an_object_of_what_it_builds_upon_a_backup_is_passed_over()
    {
        var store = await chain.CopyAsync();
        await store.RemoveAsync(new ObjectKey($"postgres/full/{Middle}/base.tar.zst"));
        await using var agent = Agent.For(null, store);

        (await Should.ThrowAsync<NotRestorableException>(() => agent.PlanAsync(directory["data"], backup: Newest))).Message
            .ShouldContain($"it holds only what changed since {Middle}. The object 'postgres/full/{Middle}/base.tar.zst' is missing");
        await store.RemoveAsync(new ObjectKey($"postgres/full/{Middle}/manifest.json"));
        (await agent.PlanAsync(directory["data"])).BackupId.ShouldBe(Full);
    }

    [Fact]
    public async Task Upon_a_backup_that_a_verification_found_damaged_nothing_is_restored_and_nothing_built_until_it_is_sound_again()
    {
        var store = await chain.CopyAsync();
        var damaged = new ObjectKey($"postgres/full/{Middle}/base.tar.zst");
        var sound = await store.ReadAsync(damaged);
        await store.FlipAsync(damaged);
        await using var agent = Agent.For(null, store);

        var report = await agent.VerifyAsync();

        report.Damage.ShouldHaveSingleItem().Subject.ShouldBe(damaged.Value);
        report.Damage[0].Cost.ShouldBe($"none: an older base backup and the WAL since reach every moment that {Middle}, {Newest} do; a restore takes longer");
        var listing = await agent.Catalog.ListBackupsAsync(None);
        listing.Damaged.ShouldHaveSingleItem().Reason.ShouldContain($"{Newest} holds only what changed since backup {Middle}, which a verification found damaged");
        listing[^1].Sealed.IsKnownDamaged.ShouldBeTrue();

        await store.ReplaceAsync(damaged, sound, None);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        (await agent.PlanAsync(directory["data"])).BackupId.ShouldBe(Newest);
    }

    [Fact]
    public async Task Retention_keeps_what_the_newest_builds_upon()
    {
        var store = await chain.CopyAsync();
        await using var agent = Agent.For(
            null,
            store,
            new Dictionary<string, string?>
            {
                ["Postgres:Retention:KeepLast"] = "1",
                ["Postgres:Retention:KeepDaily"] = "0",
                ["Postgres:Retention:KeepWeekly"] = "0",
                ["Postgres:Retention:KeepMonthly"] = "0",
                ["Postgres:Retention:RecoveryWindow"] = "00:00:00",
            },
            clock: new LaterClock());

        var report = await agent.Pruner.PruneAsync(agent.Source, allowLarge: true, limit: null, None);

        report.Plan.Backups.Select(b => string.Join(", ", b.Decision.KeptBecause)).ShouldBe([$"{Middle} builds upon it", $"{Newest} builds upon it", "newest, last 1"]);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
        await agent.RestoreAsync(directory["data"]);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 17);
        (await Ledger.LastAsync(copy)).ShouldBe(RecordedChain.Last);
    }

    /// <summary>Backups of one second have the ids of the next ones, which retention leaves alone until then.</summary>
    private sealed class LaterClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddHours(1);
    }
}
