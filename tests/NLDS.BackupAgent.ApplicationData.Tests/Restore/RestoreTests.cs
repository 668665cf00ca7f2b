using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.ApplicationData.Tests.Restore;

/// <summary>Restores over data that lives on.</summary>
[Collection(typeof(ServersCollection))]
public sealed class RestoreTests(Servers servers)
{
    private const string Table = "CREATE TABLE t (id integer PRIMARY KEY, name text, n integer); INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'four', NULL);";

    [Fact]
    public async Task What_is_lost_and_changed_comes_back_and_what_is_newer_stays()
    {
        await using var bench = await Bench.StartAsync(servers, Table, Bench.OnlyTable());
        await bench.TakeAsync();
        await bench.ExecuteAsync("DELETE FROM t WHERE id = 1; UPDATE t SET name = 'broken' WHERE id = 2; UPDATE t SET n = 0 WHERE id = 4; INSERT INTO t VALUES (9, 'newer', 9)");

        var plan = await bench.PlanAsync();

        plan.Steps.ShouldHaveSingleItem().ShouldContain("1 new, 2 changed, 1 equal");
        (await bench.ScalarAsync<long>("SELECT count(*) FROM t WHERE name = 'broken'")).ShouldBe(1, "a plan changes nothing");

        (await bench.RestoreAsync()).Notes.ShouldHaveSingleItem().ShouldContain("1 new, 2 changed, 1 equal");

        var once = await bench.RowsAsync("t");
        once.ShouldBe("(1,one,1)\n(2,two,2)\n(3,three,3)\n(4,four,)\n(9,newer,9)");

        (await bench.RestoreAsync()).Notes.ShouldHaveSingleItem().ShouldContain("0 new, 0 changed, 4 equal");
        (await bench.RowsAsync("t")).ShouldBe(once);
    }

    [Fact]
    public async Task Without_a_key_as_many_equal_rows_are_there_as_the_backup_has()
    {
        await using var bench = await Bench.StartAsync(servers, "CREATE TABLE t (name text, doc json); INSERT INTO t VALUES ('a', '1'), ('a', '1'), ('a', '1'), ('b', NULL), (NULL, '{}')", Bench.OnlyTable());
        var before = await bench.RowsAsync("t");
        await bench.TakeAsync();
        await bench.ExecuteAsync("DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE name = 'a' LIMIT 2); DELETE FROM t WHERE name = 'b'");

        (await bench.RestoreAsync()).Notes.ShouldHaveSingleItem().ShouldContain("3 new, 0 changed, 2 equal");
        (await bench.RowsAsync("t")).ShouldBe(before);
        (await bench.RestoreAsync()).Notes.ShouldHaveSingleItem().ShouldContain("0 new, 0 changed, 5 equal");
        (await bench.RowsAsync("t")).ShouldBe(before);
    }

    [Fact]
    public async Task Sessions_that_have_expired_meanwhile_are_skipped_and_counted()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            Bench.StrategyTables + "INSERT INTO user_sessions SELECT gen_random_uuid(), i, now(), CASE WHEN i <= 3 THEN clock_timestamp() + interval '3 seconds' ELSE now() + interval '1 day' END, '{}' FROM generate_series(1, 5) i",
            options => options.Cache.Enabled = false);
        var backup = await bench.TakeAsync();
        (await bench.DocumentAsync(backup, "user_sessions.json")).GetProperty("session_count").GetInt32().ShouldBe(5);
        await Eventually.TrueAsync(() => bench.ScalarAsync<bool>("SELECT count(*) = 3 FROM user_sessions WHERE expires_at <= clock_timestamp()"), "three sessions have expired");
        await bench.ExecuteAsync("TRUNCATE user_sessions");

        (await bench.RestoreAsync("user_sessions")).Notes.ShouldHaveSingleItem().ShouldContain("2 new, 0 changed, 0 equal, 3 expired");
        (await bench.ScalarAsync<long>("SELECT count(*) FROM user_sessions")).ShouldBe(2);
    }

    [Fact]
    public async Task Columns_that_the_server_makes_itself_are_no_obstacle_and_its_sequence_goes_on_behind()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED); INSERT INTO t (n) SELECT i FROM generate_series(1, 20) i",
            Bench.OnlyTable());
        var before = await bench.RowsAsync("t");
        await bench.TakeAsync();
        await bench.ExecuteAsync("DROP TABLE t; CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED)");

        (await bench.RestoreAsync()).NotRestored.ShouldBeEmpty();

        (await bench.RowsAsync("t")).ShouldBe(before);
        await bench.ExecuteAsync("INSERT INTO t (n) VALUES (0)");
        (await bench.ScalarAsync<int>("SELECT max(id) FROM t")).ShouldBe(21);
    }

    [Fact]
    public async Task A_set_that_cannot_go_back_is_named_and_the_others_go_on()
    {
        await using var bench = await Bench.StartAsync(
            servers,
            Table + "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent, name text UNIQUE); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1, 'a'), (2, 1, 'b')",
            options =>
            {
                Bench.OnlyTable()(options);
                options.DataSets["child"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM child" };
            });
        await bench.TakeAsync();
        await bench.ExecuteAsync("TRUNCATE parent CASCADE; TRUNCATE t");

        var orphaned = await bench.RestoreAsync();

        orphaned.NotRestored.ShouldHaveSingleItem().ShouldContain("foreign key");
        (await bench.ScalarAsync<long>("SELECT count(*) FROM child")).ShouldBe(0);
        (await bench.ScalarAsync<long>("SELECT count(*) FROM t")).ShouldBe(4);

        await bench.ExecuteAsync("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (7, 1, 'b')");
        (await bench.RestoreAsync()).NotRestored.ShouldHaveSingleItem().ShouldContain("child_name_key");
        (await bench.RowsAsync("child")).ShouldBe("(7,1,b)", "all of a set or nothing");
    }

    [Fact]
    public async Task A_table_that_does_not_fit_any_more_is_named_in_the_plan()
    {
        await using var bench = await Bench.StartAsync(servers, Table, options =>
        {
            Bench.OnlyTable()(options);
            options.DataSets["u"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT id, name FROM t", Table = "u", Key = ["name"] };
        });
        await bench.TakeAsync();

        (await bench.PlanAsync()).Warnings.ShouldHaveSingleItem().ShouldContain("\"u\" does not exist");
        await bench.ExecuteAsync("CREATE TABLE u (id integer, name text)");
        (await bench.PlanAsync()).Warnings.ShouldHaveSingleItem().ShouldContain("no unique index on (name)");
        await bench.ExecuteAsync("ALTER TABLE u ADD UNIQUE (name)");
        (await bench.RestoreAsync()).NotRestored.ShouldBeEmpty();
        (await bench.ScalarAsync<long>("SELECT count(*) FROM u")).ShouldBe(4);
        await bench.ExecuteAsync("ALTER TABLE t DROP COLUMN n");
        (await bench.PlanAsync()).Warnings.ShouldHaveSingleItem().ShouldContain("no column n");
    }

    [Fact]
    public async Task The_newest_backup_that_has_what_is_wanted_is_taken()
    {
        await using var bench = await Bench.StartAsync(servers, Table + "CREATE TABLE u (id integer PRIMARY KEY)", options =>
        {
            Bench.OnlyTable()(options);
            options.DataSets["u"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM u" };
        });
        var whole = await bench.TakeAsync();
        await bench.ExecuteAsync("ALTER TABLE t RENAME TO away");
        var partial = await bench.TakeAsync();
        await bench.ExecuteAsync("ALTER TABLE away RENAME TO t");

        (await bench.PlanAsync("t")).BackupId.ShouldBe(whole.Id.ToString());
        (await bench.PlanAsync()).BackupId.ShouldBe(partial.Id.ToString());
        (await Should.ThrowAsync<UsageException>(() => bench.PlanAsync("typo"))).Message.ShouldContain("typo");
        (await Should.ThrowAsync<NotRestorableException>(() => bench.PlanAsync(backup: "20200101_000000"))).Message.ShouldContain(whole.Id.ToString());
    }

    [Fact]
    public async Task Check_names_every_fault_and_what_a_restore_would_lack()
    {
        await using var bench = await Bench.StartAsync(servers, Bench.StrategyTables + "DROP TABLE api_keys; CREATE TABLE t (id integer PRIMARY KEY)", options =>
            options.DataSets["t"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM t", Table = "absent" });

        var findings = new List<CheckFinding>();
        await foreach (var finding in bench.Source.CheckAsync(CancellationToken.None))
        {
            findings.Add(finding);
        }

        findings.ToDictionary(finding => finding.Subject, finding => finding.Verdict).ShouldBe(
            new Dictionary<string, CheckVerdict>
            {
                ["database"] = CheckVerdict.Good,
                ["data set user_sessions"] = CheckVerdict.Good,
                ["data set api_keys"] = CheckVerdict.Fault,
                ["data set system_metrics"] = CheckVerdict.Good,
                ["data set t"] = CheckVerdict.Warning,
                ["data set processing_cache"] = CheckVerdict.Good,
            },
            ignoreOrder: true);
    }
}
