using NLDS.BackupAgent.Recovery.Bootstrap;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Storage;

namespace NLDS.BackupAgent.Recovery.Tests.Bootstrap;

/// <summary>A restore that somebody requested, over existing data, at the next start.</summary>
public sealed class RequestTests(ProtectedCluster cluster) : IClassFixture<ProtectedCluster>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_restores_over_data_that_are_moved_aside_and_is_carried_out_once()
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        await using var bench = PostgresBench.For(null, cluster.Store());
        var request = await bench.RequestAsync(cluster.Middle);

        var outcome = await bench.StartAsync(directory["data"]);

        outcome.Action.ShouldBe(BootstrapAction.CarryOutRequest);
        outcome.Words.ShouldContain(directory[$"data.before-{request.Id}"]);
        File.ReadAllText(directory[$"data.before-{request.Id}/global/pg_control"]).ShouldBe("the old one");
        (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);
        (await bench.Requests.FindAsync("postgres", request.Id, Token)).ShouldNotBeNull().Ended.ShouldNotBeNull().End.ShouldBe(RequestEnd.CarriedOut);
        File.Exists(directory["data.nlds-request"]).ShouldBeFalse();
        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await server.ScalarAsync<long>("SELECT count(*) FROM ledger")).ShouldBe(ProtectedCluster.Rows / 2);
    }

    [Fact]
    public async Task A_copy_leaves_the_originals_request_to_the_original_and_writes_nothing()
    {
        using var directory = new TemporaryDirectory();
        var store = cluster.Store();
        await using var original = PostgresBench.For(null, store);
        var request = await original.RequestAsync(cluster.Middle);
        var before = await KeysAsync(store);
        await using var copy = PostgresBench.For(null, store, instance: "postgres-copy-0");

        (await copy.StartAsync(directory["copy"], asCopy: true)).Action.ShouldBe(BootstrapAction.Restore);

        (await KeysAsync(store)).ShouldBe(before);
        (await original.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.CarryOutRequest);
        (await original.Requests.FindAsync("postgres", request.Id, Token))!.Ended!.End.ShouldBe(RequestEnd.CarriedOut);
    }

    [Fact]
    public async Task A_copy_of_nothing_does_not_begin_anew()
    {
        using var directory = new TemporaryDirectory();
        await using var copy = PostgresBench.For(null, new MemoryObjectStore());

        (await Should.ThrowAsync<SourceException>(() => copy.StartAsync(directory["copy"], asCopy: true))).Message.ShouldContain("a copy of nothing");
    }

    /// <summary>Killed behind every durable step, with and without data before; and killed there again and again.</summary>
    [Theory]
    [InlineData("begun", true)]
    [InlineData("moved", true)]
    [InlineData("restoring", true)]
    [InlineData("written", true)]
    [InlineData("restored", true)]
    [InlineData("ended", true)]
    [InlineData("begun", false)]
    [InlineData("written", false)]
    [InlineData("restored", false)]
    [InlineData("ended", false)]
    public async Task A_request_that_is_broken_off_goes_on_where_it_was(string step, bool hasData)
    {
        using var directory = new TemporaryDirectory();
        if (hasData)
        {
            Existing(directory["data"]);
        }

        var store = cluster.Store();
        string id;
        await using (var first = PostgresBench.For(null, store))
        {
            id = (await first.RequestAsync(cluster.Middle)).Id;
            first.Bootstrap.Reached = reached => Break(reached == step);
            await Should.ThrowAsync<TimeoutException>(() => first.StartAsync(directory["data"]));
        }

        await using (var second = PostgresBench.For(null, store))
        {
            // Some steps come no second time, because they were done.
            second.Bootstrap.Reached = reached => Break(reached == step);
            await second.StartAsync(directory["data"]).ContinueWith(_ => { }, Token, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        await using var last = PostgresBench.For(null, store);
        await last.StartAsync(directory["data"]);

        (await last.PlanAsync(directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);
        (await last.Requests.FindAsync("postgres", id, Token))!.Ended!.End.ShouldBe(RequestEnd.CarriedOut);
        Directory.GetDirectories(directory.Path).Select(Path.GetFileName).Order().ShouldBe(hasData ? ["data", $"data.before-{id}"] : ["data"]);
        Directory.GetFiles(directory.Path).ShouldBeEmpty();
        if (hasData)
        {
            File.ReadAllText(directory[$"data.before-{id}/global/pg_control"]).ShouldBe("the old one");
        }

        File.ReadAllText(directory["data/postgresql.auto.conf"]).ShouldContain("recovery_target_lsn");
    }

    [Fact]
    public async Task A_request_that_cannot_be_met_moves_nothing()
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        var store = cluster.Store();
        await using var bench = PostgresBench.For(null, store);
        await Should.ThrowAsync<NotRestorableException>(() => bench.RequestAsync("FF/0"));
        await bench.RequestAsync(cluster.Middle);
        await foreach (var entry in store.ListAsync("postgres/wal/tail/", null, Token))
        {
            await store.DeleteAsync([entry.Key], Token);
        }

        await foreach (var entry in store.ListAsync("postgres/wal/0", null, Token))
        {
            await store.DeleteAsync([entry.Key], Token);
        }

        await Should.ThrowAsync<NotRestorableException>(() => bench.StartAsync(directory["data"]));

        File.ReadAllText(directory["data/global/pg_control"]).ShouldBe("the old one");
        Directory.GetFileSystemEntries(directory.Path).Length.ShouldBe(1);
    }

    [Fact]
    public async Task Retries_and_further_requests_never_fill_the_disk()
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        await using var bench = PostgresBench.For(null, cluster.Store(), keepAside: 2);
        for (var i = 0; i < 2; i++)
        {
            await bench.RequestAsync(cluster.Middle);
            await bench.StartAsync(directory["data"]);
        }

        await bench.RequestAsync(cluster.Middle);

        (await Should.ThrowAsync<SourceException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain("Recovery:KeepAside");

        bench.Source.Look(directory["data"]).Kind.ShouldBe(DirectoryKind.Data);
        Directory.GetDirectories(directory.Path).Length.ShouldBe(3);
    }

    [Fact]
    public async Task Data_in_which_a_server_works_are_not_moved()
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        await using var bench = PostgresBench.For(null, cluster.Store());
        await bench.RequestAsync(cluster.Middle);
        await using (var server = ServerProcess.Start("sh", ["-c", "cd \"$0\" && exec sleep 600", directory["data"]]))
        {
            await Eventually.TrueAsync(() => new FileInfo($"/proc/{server.Id}/cwd").LinkTarget == directory["data"], "it works there");

            (await Should.ThrowAsync<SourceException>(() => bench.StartAsync(directory["data"]))).Message.ShouldContain($"{server.Id} (");
        }

        (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.CarryOutRequest);
    }

    [Fact]
    public async Task What_was_requested_last_counts_when_the_clock_stands_and_when_it_is_set_back()
    {
        var store = cluster.Store();
        var now = TimeProvider.System.GetUtcNow();
        foreach (var minutes in (int[])[0, 0, 0, 0, -60, -60])
        {
            await using var bench = PostgresBench.For(null, store, clock: new ManualClock(now.AddMinutes(minutes)));

            var last = await bench.RequestAsync(cluster.Middle);

            (await bench.Requests.FindNewestAsync("postgres", Token)).ShouldNotBeNull().Request.Id.ShouldBe(last.Id);
        }
    }

    [Fact]
    public async Task A_request_that_another_instance_has_begun_is_not_carried_out_here()
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        var store = cluster.Store();
        await using (var other = PostgresBench.For(null, store, "postgres-1"))
        {
            await other.RequestAsync(cluster.Middle);
            await other.StartAsync(directory["other"]);
        }

        await using var bench = PostgresBench.For(null, store);
        await bench.RequestAsync(cluster.Middle);
        await using var another = PostgresBench.For(null, store, "postgres-1");
        another.Bootstrap.Reached = reached => Break(reached == "begun");
        await Should.ThrowAsync<TimeoutException>(() => another.StartAsync(directory["another"]));

        (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);

        File.ReadAllText(directory["data/global/pg_control"]).ShouldBe("the old one");
    }

    [Theory]
    [InlineData("begun")]
    [InlineData("moved")]
    [InlineData("restoring")]
    public async Task A_request_that_is_withdrawn_on_the_way_brings_the_data_back(string step)
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        await using var bench = PostgresBench.For(null, cluster.Store());
        var request = await bench.RequestAsync(cluster.Middle);
        bench.Bootstrap.Reached = reached => Break(reached == step);
        await Should.ThrowAsync<TimeoutException>(() => bench.StartAsync(directory["data"]));
        await bench.Requests.EndAsync(request, RequestEnd.Withdrawn, "test", "enough", Token);
        bench.Bootstrap.Reached = _ => { };

        (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.PutDataBack);

        File.ReadAllText(directory["data/global/pg_control"]).ShouldBe("the old one");
        Directory.GetFileSystemEntries(directory.Path).Length.ShouldBe(1);
        (await bench.StartAsync(directory["data"])).Action.ShouldBe(BootstrapAction.KeepData);
    }

    [Fact]
    public async Task A_newer_request_takes_over_what_an_older_one_has_begun()
    {
        using var directory = new TemporaryDirectory();
        Existing(directory["data"]);
        await using var bench = PostgresBench.For(null, cluster.Store());
        var older = await bench.RequestAsync(cluster.Middle);
        bench.Bootstrap.Reached = reached => Break(reached == "moved");
        await Should.ThrowAsync<TimeoutException>(() => bench.StartAsync(directory["data"]));
        bench.Bootstrap.Reached = _ => { };
        StandingRequest newer;
        do
        {
            newer = await bench.RequestAsync();
        }
        while (string.CompareOrdinal(newer.Id, older.Id) <= 0);

        await bench.StartAsync(directory["data"]);

        Directory.GetDirectories(directory.Path).Select(Path.GetFileName).Order().ShouldBe(["data", $"data.before-{older.Id}"]);
        await using var server = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await server.ScalarAsync<long>("SELECT count(*) FROM ledger")).ShouldBe(ProtectedCluster.Rows);
    }

    private static void Break(bool here)
    {
        if (here)
        {
            throw new TimeoutException("killed here");
        }
    }

    private static void Existing(string data)
    {
        Directory.CreateDirectory(Path.Combine(data, "global"));
        File.WriteAllText(Path.Combine(data, "PG_VERSION"), "15\n");
        File.WriteAllText(Path.Combine(data, "global/pg_control"), "the old one");
    }

    private static async Task<List<string>> KeysAsync(IObjectStore store)
    {
        List<string> keys = [];
        await foreach (var entry in store.ListAsync("", null, Token))
        {
            keys.Add(entry.Key.Value);
        }

        return keys;
    }
}
