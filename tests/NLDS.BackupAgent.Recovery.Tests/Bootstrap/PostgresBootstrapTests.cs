using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Recovery.Tests.Bootstrap;

/// <summary><c>restore postgres --if-empty</c>, before the start of a server: every state of the directory against every state of the repository.</summary>
public sealed class PostgresBootstrapTests(ProtectedCluster cluster) : IClassFixture<ProtectedCluster>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_empty_directory_and_an_empty_repository_let_the_server_initialise(bool exists)
    {
        using var directory = new TemporaryDirectory();
        var data = directory["data"];
        if (exists)
        {
            Directory.CreateDirectory(Path.Combine(data, "lost+found"));
        }

        await using var bench = PostgresBench.For(null, new MemoryObjectStore());

        (await bench.StartAsync(data)).Action.ShouldBe(BootstrapAction.LetInitialise);

        (Directory.Exists(data) ? Directory.GetFileSystemEntries(data).Length : 0).ShouldBe(exists ? 1 : 0);
    }

    [Fact]
    public async Task An_empty_directory_is_restored_from_a_repository_that_has_the_cluster()
    {
        using var directory = new TemporaryDirectory();
        await using var bench = PostgresBench.For(null, cluster.Store());

        (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.Restore);

        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await server.ScalarAsync<long>("SELECT count(*) FROM ledger")).ShouldBe(ProtectedCluster.Rows);
        (await bench.PlanAsync(directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);
    }

    [Fact]
    public async Task Data_that_are_there_are_kept_whatever_the_repository_says()
    {
        using var directory = new TemporaryDirectory();
        Foreign(directory["data"]);
        var unreachable = new FaultyObjectStore(cluster.Store());
        unreachable.FailFrom(1, Fault.Permanent);
        foreach (var store in new IObjectStore[] { new MemoryObjectStore(), cluster.Store(), unreachable })
        {
            await using var bench = PostgresBench.For(null, store);

            (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);
        }

        File.ReadAllText(Path.Combine(directory["data"], "global/pg_control")).ShouldBe("another cluster's");
    }

    [Fact]
    public async Task A_store_that_does_not_answer_lets_no_server_begin_anew()
    {
        using var directory = new TemporaryDirectory();
        foreach (var inner in new IObjectStore[] { new MemoryObjectStore(), cluster.Store() })
        {
            var store = new FaultyObjectStore(inner);
            store.FailFrom(1, Fault.Permanent);
            await using var bench = PostgresBench.For(null, store);

            await Should.ThrowAsync<ObjectStoreException>(() => bench.StartAsync(directory["data"]));
        }

        Directory.Exists(directory["data"]).ShouldBeFalse();
    }

    /// <summary>The k-th call of the store fails, for every k: the decision is to restore, or a refusal, never a server that begins anew.</summary>
    [Fact]
    public async Task No_single_failure_of_the_store_is_taken_for_emptiness()
    {
        for (var call = 1; ; call++)
        {
            using var directory = new TemporaryDirectory();
            var store = new FaultyObjectStore(cluster.Store());
            store.FailCall(call, Fault.Permanent);
            await using var bench = PostgresBench.For(null, store);
            try
            {
                (await bench.PlanAsync(directory["data"])).Action.ShouldBe(BootstrapAction.Restore, $"call {call}");
                if (store.Calls < call)
                {
                    return;
                }
            }
            catch (ObjectStoreException)
            {
                store.Calls.ShouldBeGreaterThanOrEqualTo(call);
            }
        }
    }

    [Fact]
    public async Task A_repository_whose_document_is_gone_lets_no_server_begin_anew()
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        await store.DeleteAsync([new ObjectKey("repository.json")], Token);
        await using var bench = PostgresBench.For(null, store);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain("repository.json");
    }

    [Fact]
    public async Task A_repository_without_a_base_backup_lets_no_server_begin_anew()
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        await foreach (var entry in store.ListAsync("postgres/full/", null, Token))
        {
            await store.DeleteAsync([entry.Key], Token);
        }

        await using var bench = PostgresBench.For(null, store);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain("no base backup");
    }

    [Fact]
    public async Task A_repository_of_a_newer_format_lets_no_server_begin_anew()
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        await store.ReplaceAsync(
            new ObjectKey("repository.json"), ProvenJson.Prove($$"""{"format": 99, "id": "{{Guid.NewGuid()}}", "created": "2026-11-23T14:03:17Z"}"""), Token);
        await using var bench = PostgresBench.For(null, store);

        (await Should.ThrowAsync<NotRestorableException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain("newer version");
    }

    [Fact]
    public async Task What_nobody_knows_is_neither_restored_over_nor_started()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["data"]);
        File.WriteAllText(Path.Combine(directory["data"], "PG_VERSION"), "15\n");
        await using var bench = PostgresBench.For(null, cluster.Store());

        (await Should.ThrowAsync<SourceException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain("PG_VERSION");

        Directory.GetFileSystemEntries(directory["data"]).Length.ShouldBe(1);
    }

    [Fact]
    public async Task A_restore_that_was_interrupted_begins_anew()
    {
        using var directory = new TemporaryDirectory();
        var store = new FaultyObjectStore(cluster.Store());
        await using (var bench = PostgresBench.For(null, store))
        {
            var plan = await bench.PlanAsync(directory["data"]);
            store.FailFrom(1, Fault.Permanent);
            await Should.ThrowAsync<Exception>(() => bench.Bootstrap.RunAsync(
                bench.Source, new RestoreRequest { TargetDirectory = directory["data"] }, plan, new Progress<TransferProgress>(), Token));
        }

        await using var again = PostgresBench.For(null, cluster.Store());
        again.Source.Look(directory["data"]).Kind.ShouldBe(DirectoryKind.Unfinished);

        (await again.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.Restore);

        again.Source.Look(directory["data"]).Kind.ShouldBe(DirectoryKind.Data);
    }

    [Fact]
    public async Task An_unfinished_restore_is_not_begun_anew_from_a_store_that_has_nothing()
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["data"]);
        File.WriteAllText(Path.Combine(directory["data"], "nlds-restore-in-progress"), "");
        await using var bench = PostgresBench.For(null, new MemoryObjectStore());

        (await Should.ThrowAsync<SourceException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain("Storage");
    }

    private static void Foreign(string data)
    {
        Directory.CreateDirectory(Path.Combine(data, "global"));
        File.WriteAllText(Path.Combine(data, "PG_VERSION"), "15\n");
        File.WriteAllText(Path.Combine(data, "global/pg_control"), "another cluster's");
    }
}
