using System.Text.Json;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.ApplicationData.Tests.Backup;

/// <summary>What a backup looks like to whoever opens it by hand: the strategy document's files and shapes.</summary>
[Collection(typeof(ServersCollection))]
public sealed class DocumentTests(Servers servers)
{
    private const string Rows =
        """
        INSERT INTO user_sessions VALUES ('6ecd8c99-4036-403d-bf84-cf8400f67836', 7, '2026-11-23 02:00:00.5+00', now() + interval '1 hour', '{"theme": "dark", "n": 1.10}'),
                                         ('6ecd8c99-4036-403d-bf84-cf8400f67837', 8, '2026-11-23 02:00:00+00', now() - interval '1 hour', NULL);
        INSERT INTO api_keys (key_name, key_type, permissions, created_at, active) VALUES ('one', 'service', ARRAY['read', NULL, 'a "b", c'], '2026-11-23 02:00:00', true), ('off', 'x', '{}', now(), false);
        INSERT INTO system_metrics VALUES ('cpu', 0.25, now(), '{"host": "a"}'), ('cpu', 'NaN', now() - interval '1 minute', NULL), ('old', 1, now() - interval '2 days', NULL);
        """;

    [Fact]
    public async Task The_files_are_those_of_the_strategy_document_in_its_shapes()
    {
        await using var bench = await Bench.StartAsync(servers, Bench.StrategyTables + Rows);
        await bench.RedisAsync("SET", "nlds:cache:a", "text", "EX", "1000");
        await bench.RedisAsync("SET", "other", "not ours");

        var backup = await bench.TakeAsync();

        backup.Omissions.ShouldBeEmpty();
        ArchiveDetails.ArchiveOf(backup).Key.ShouldBe($"nlds/application_data/nlds_data_backup_{backup.Id}.tar.gz");
        var sessions = await bench.DocumentAsync(backup, "user_sessions.json");
        sessions.GetProperty("timestamp").GetString().ShouldBe(backup.Id.ToString());
        sessions.GetProperty("session_count").GetInt32().ShouldBe(1);
        var session = sessions.GetProperty("sessions")[0];
        session.EnumerateObject().Select(member => member.Name).ShouldBe(["session_id", "user_id", "created_at", "expires_at", "session_data"]);
        session.GetProperty("user_id").GetInt64().ShouldBe(7);
        session.GetProperty("created_at").GetString().ShouldBe("2026-11-23T02:00:00.500000+00:00");
        session.GetProperty("session_data").GetProperty("n").GetRawText().ShouldBe("1.10");

        var keys = await bench.DocumentAsync(backup, "api_keys.json");
        keys.GetProperty("api_key_count").GetInt32().ShouldBe(1);
        var key = keys.GetProperty("api_keys")[0];
        key.GetProperty("permissions").EnumerateArray().Select(permission => permission.GetString()).ShouldBe(["read", null, "a \"b\", c"]);
        key.GetProperty("created_at").GetString().ShouldBe("2026-11-23T02:00:00");
        key.GetProperty("last_used").ValueKind.ShouldBe(JsonValueKind.Null);

        var metrics = await bench.DocumentAsync(backup, "system_metrics.json");
        metrics.GetProperty("metric_count").GetInt32().ShouldBe(2);
        metrics.GetProperty("time_range").GetString().ShouldBe("24 hours");
        metrics.GetProperty("metrics").EnumerateArray().Select(metric => metric.GetProperty("metric_value").ToString()).ShouldBe(["0.25", "NaN"]);

        var entries = (await bench.DocumentAsync(backup, "processing_cache.json")).GetProperty("cache_entries");
        entries.EnumerateObject().Select(entry => entry.Name).ShouldBe(["nlds:cache:a"]);
        entries.GetProperty("nlds:cache:a").GetProperty("value").GetString().ShouldBe("text");
        entries.GetProperty("nlds:cache:a").GetProperty("ttl").GetInt64().ShouldBeInRange(900, 1000);

        var manifest = await bench.DocumentAsync(backup, "manifest.json");
        manifest.GetProperty("version").GetString().ShouldBe("2.2.0");
        manifest.GetProperty("backup_type").GetString().ShouldBe("application_data");
        manifest.GetProperty("files").EnumerateArray().Select(file => file.GetString()).ShouldBe(["user_sessions.json", "api_keys.json", "system_metrics.json", "processing_cache.json"]);
        manifest.GetProperty("retention_policy").GetProperty("daily_retention").GetInt32().ShouldBe(30);
        (await bench.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_table_or_a_column_that_is_missing_costs_its_data_set_and_no_other()
    {
        await using var bench = await Bench.StartAsync(servers, Bench.StrategyTables + Rows + "DROP TABLE system_metrics; ALTER TABLE api_keys DROP COLUMN last_used");

        var backup = await bench.TakeAsync();

        backup.Omissions.Count.ShouldBe(2);
        backup.Omissions[0].ShouldContain("api_keys");
        backup.Omissions[0].ShouldContain("last_used");
        backup.Omissions[1].ShouldContain("system_metrics");
        (await bench.DocumentAsync(backup, "user_sessions.json")).GetProperty("session_count").GetInt32().ShouldBe(1);
        (await bench.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_query_that_fails_after_a_part_was_written_is_left_out_whole()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            "CREATE TABLE t (id integer PRIMARY KEY, filling text); INSERT INTO t SELECT i, repeat(md5(i::text), 3000) FROM generate_series(1, 200) i; CREATE TABLE u (id integer PRIMARY KEY); INSERT INTO u VALUES (1)",
            options =>
            {
                Bench.OnlyTable(set => set.Query = "SELECT id, filling, 1 / (190 - id) AS broken FROM t ORDER BY id")(options);
                options.DataSets["u"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM u" };
            });

        var backup = await bench.TakeAsync();

        backup.Omissions.ShouldHaveSingleItem().ShouldContain("division by zero");
        ArchiveDetails.Read(backup).Abandoned.ShouldNotBeEmpty();
        ArchiveDetails.Read(backup).DataSets.Select(set => set.Name).ShouldBe(["u"]);
        (await bench.VerifyAsync()).Damage.ShouldBeEmpty();
        (await bench.RestoreAsync()).NotRestored.ShouldBeEmpty();
    }

    [Fact]
    public async Task Rows_that_a_policy_hides_are_an_error_and_never_just_missing()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            $"CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1); GRANT SELECT ON t TO {PostgresServer.BackupRole}",
            options =>
            {
                Bench.OnlyTable()(options);
                (options.Postgres.Username, options.Postgres.Password) = (PostgresServer.BackupRole, PostgresServer.BackupPassword);
            });

        (await Should.ThrowAsync<SourceException>(bench.TakeAsync)).Message.ShouldContain("row-level security");
    }

    [Fact]
    public async Task Without_redis_the_cache_is_named_as_missing()
    {
        await using var bench = await Bench.StartAsync(servers, Bench.StrategyTables, options => options.Redis.Host = "");

        (await bench.TakeAsync()).Omissions.ShouldHaveSingleItem().ShouldContain("Redis:Host");
    }

    [Fact]
    public async Task With_redis_out_of_reach_the_rows_are_kept_all_the_same()
    {
        await using var bench = await Bench.StartAsync(servers, Bench.StrategyTables, options => options.Redis.Port = 1);

        var backup = await bench.TakeAsync();

        backup.Omissions.ShouldHaveSingleItem().ShouldContain("cannot be reached");
        ArchiveDetails.Read(backup).DataSets.Count.ShouldBe(3);
    }

    [Fact]
    public async Task When_nothing_could_be_read_there_is_no_backup()
    {
        await using var bench = await Bench.StartAsync(servers, "SELECT 1", options => options.Redis.Port = 1);

        (await Should.ThrowAsync<SourceException>(bench.TakeAsync)).Message.ShouldContain("user_sessions");
        (await bench.Source.ListAsync(CancellationToken.None)).Backups.ShouldBeEmpty();
    }

    [Fact]
    public async Task All_rows_are_of_one_moment()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            "CREATE TABLE a (id integer PRIMARY KEY, n integer); CREATE TABLE b (id integer PRIMARY KEY, n integer); INSERT INTO a SELECT i, 0 FROM generate_series(1, 2000) i; INSERT INTO b SELECT * FROM a",
            options =>
            {
                Bench.OnlyTable(set => set.Enabled = false)(options);
                options.DataSets["a"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM a" };
                options.DataSets["b"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM b" };
            });
        using var stop = new CancellationTokenSource();
        var writes = 0;
        var writer = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await bench.ExecuteAsync("UPDATE a SET n = n + 1; UPDATE b SET n = n + 1");
                Interlocked.Increment(ref writes);
            }
        });

        for (var backups = 0; backups < 3 || Volatile.Read(ref writes) < 5; backups++)
        {
            var backup = await bench.TakeAsync();
            var a = Numbers(await bench.DocumentAsync(backup, "a.json"));
            a.Count.ShouldBe(1);
            a.ShouldBe(Numbers(await bench.DocumentAsync(backup, "b.json")));
        }

        await stop.CancelAsync();
        await writer;
    }

    [Fact]
    public async Task A_data_set_that_outgrows_memory_goes_on_in_further_files()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            "CREATE TABLE t (id integer PRIMARY KEY, filling text); INSERT INTO t SELECT i, repeat(md5(i::text), 1000) FROM generate_series(1, 700) i",
            Bench.OnlyTable());
        var before = await bench.RowsAsync("t");

        var backup = await bench.TakeAsync();

        var set = ArchiveDetails.Read(backup).DataSets.Single();
        set.Files.Select(file => file.Name).ShouldBe(["t.json", "t.2.json", "t.3.json"]);
        set.Files.Sum(file => file.Count).ShouldBe(700);
        set.Files.ShouldAllBe(file => file.Bytes <= DocumentWriter.PartBytes + (1 << 20));
        await bench.ExecuteAsync("TRUNCATE t");
        (await bench.RestoreAsync()).NotRestored.ShouldBeEmpty();
        (await bench.RowsAsync("t")).ShouldBe(before);
    }

    private static HashSet<int> Numbers(JsonElement document) => [.. document.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("n").GetInt32())];
}
