using System.Security.Cryptography;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Postgres.Tests.Tail;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Lineage;

/// <summary>A restored server beside its original, both of which somebody points an agent at.</summary>
public sealed class AdoptionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(14)]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(18)]
    public async Task A_restored_server_writes_only_when_it_is_adopted_and_then_the_original_does_not(int major)
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var original = await TestServers.StartAsync(major);
        await ArchiveAsync(original, store);
        await using var copy = await RestoreAsync(store, directory["copy"], major);

        // As it is, the copy is refused: no object changes, and no slot keeps its WAL for nobody.
        var before = await ObjectsAsync(store);
        await using (var agent = Agent.For(copy, store))
        {
            var refusal = await Should.ThrowAsync<SourceException>(agent.StartTailAsync);
            refusal.IsPermanent.ShouldBeTrue();
            refusal.Message.ShouldContain("--adopt");
            (await Should.ThrowAsync<SourceException>(agent.BackUpAsync)).Message.ShouldContain("--adopt");
        }

        (await ObjectsAsync(store)).ShouldBe(before);
        (await copy.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots")).ShouldBe(0);

        // The original goes on meanwhile.
        await using (var agent = Agent.For(original, store))
        {
            await agent.StartTailAsync();
            await Ledger.AppendAsync(original, 2);
            await agent.CatchUpAsync(original);
        }

        await using (var agent = Agent.For(copy, store, consent: new AdoptionConsent(toAny: true)))
        {
            await agent.StartTailAsync();
            agent.Source.Status.SnapshotNeeded.ShouldNotBeNull().ShouldContain("timeline 2");
            await agent.BackUpAsync();
            await Ledger.AppendAsync(copy, 10);
            await agent.CatchUpAsync(copy);
        }

        // Said once, it is known; and the original is told what happened.
        await using (var agent = Agent.For(copy, store))
        {
            await agent.StartTailAsync();
            await Ledger.AppendAsync(copy, 11);
            await agent.CatchUpAsync(copy);
        }

        await using (var agent = Agent.For(original, store))
        {
            var refusal = await Should.ThrowAsync<SourceException>(agent.StartTailAsync);
            refusal.IsPermanent.ShouldBeTrue();
            refusal.Message.ShouldContain("Timeline 1 ended at");
            refusal.Message.ShouldContain("adopted");
            (await Should.ThrowAsync<SourceException>(agent.BackUpAsync)).Message.ShouldContain("Timeline 1 ended at");
        }

        // What is restored now is the copy's way, to the row.
        await using var again = await RestoreAsync(store, directory["again"], major);
        (await again.ScalarAsync<string>("SELECT string_agg(entry::text, ' ' ORDER BY entry) FROM ledger")).ShouldBe("1 10 11");
        await using var third = Agent.For(again, store);
        (await Should.ThrowAsync<SourceException>(third.StartTailAsync)).Message.ShouldContain("--adopt");
    }

    [Fact]
    public async Task A_restored_server_with_an_archive_of_its_own_needs_no_word()
    {
        var store = new MemoryObjectStore();
        var own = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using (var original = await TestServers.StartAsync())
        {
            await ArchiveAsync(original, store);
        }

        await using var copy = await RestoreAsync(store, directory["copy"], 15);
        await using var agent = Agent.For(copy, own);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await Ledger.AppendAsync(copy, 2);
        await agent.CatchUpAsync(copy);

        (await agent.Catalog.ListAdoptionsAsync(Token)).ShouldHaveSingleItem().Timeline.ShouldBe(2u);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task Of_two_copies_of_one_moment_only_the_first_can_be_adopted()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var original = await TestServers.StartAsync();
        await ArchiveAsync(original, store);
        await using var first = await RestoreAsync(store, directory["first"], 15);
        await using var second = await RestoreAsync(store, directory["second"], 15);
        await using (var agent = Agent.For(first, store, consent: new AdoptionConsent(toAny: true)))
        {
            await agent.StartTailAsync();
            await Ledger.AppendAsync(first, 2);
            await agent.CatchUpAsync(first);
        }

        var before = await ObjectsAsync(store);
        await using var late = Agent.For(second, store, consent: new AdoptionConsent(toAny: true));

        (await Should.ThrowAsync<SourceException>(late.StartTailAsync)).Message.ShouldContain("cannot be adopted");
        (await ObjectsAsync(store)).ShouldBe(before);
    }

    [Fact]
    public async Task Consent_to_one_restore_covers_no_other()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var original = await TestServers.StartAsync();
        await ArchiveAsync(original, store);
        await using var copy = await RestoreAsync(store, directory["copy"], 15);
        var restore = await copy.ScalarAsync<string>("SELECT current_setting('nlds.restored')");
        await using (var agent = Agent.For(copy, store, consent: new AdoptionConsent(toAny: false, "20261123_140317_5f0c2a9be1d34476")))
        {
            (await Should.ThrowAsync<SourceException>(agent.StartTailAsync)).Message.ShouldContain(restore);
        }

        await using var named = Agent.For(copy, store, consent: new AdoptionConsent(toAny: false, restore));
        await named.StartTailAsync();
    }

    [Fact]
    public async Task A_copy_cannot_be_adopted_while_the_originals_agent_writes()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using var original = await TestServers.StartAsync();
        await ArchiveAsync(original, store);
        await using var copy = await RestoreAsync(store, directory["copy"], 15);
        await using var writing = TestAgent.Start(original, store);
        await writing.UntilStreamingAsync();

        await using var agent = TestAgent.Start(copy, store, consent: new AdoptionConsent(toAny: true));

        (await agent.RefusalAsync()).Message.ShouldContain("Another agent");
        await writing.UntilDurableAsync(await original.WriteAsync());
        (await agent.Catalog.ListAdoptionsAsync(Token)).ShouldBeEmpty();
    }

    private static async Task ArchiveAsync(PostgresServer server, IObjectStore store)
    {
        await server.ExecuteAsync(Ledger.Create);
        await using var agent = Agent.For(server, store);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await Ledger.AppendAsync(server, 1);
        await agent.CatchUpAsync(server);
    }

    private static async Task<PostgresServer> RestoreAsync(IObjectStore store, string target, int major)
    {
        await using var agent = Agent.For(null, store);
        await agent.RestoreAsync(target);
        var copy = await PostgresServer.StartOnDirectoryAsync(target, major);
        await Eventually.TrueAsync(() => copy.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "recovery has ended");
        return copy;
    }

    private static async Task<List<string>> ObjectsAsync(MemoryObjectStore store)
    {
        List<string> found = [];
        await foreach (var info in store.ListAsync("", null, Token))
        {
            // Whoever asks takes the lease and gives it back; that is no part of the archive.
            if (!info.Key.Value.StartsWith("postgres/lease/", StringComparison.Ordinal))
            {
                await using var content = await store.OpenReadAsync(info.Key, 0, null, Token);
                found.Add($"{info.Key} {Convert.ToHexString(await SHA256.HashDataAsync(content, Token))}");
            }
        }

        return found;
    }
}
