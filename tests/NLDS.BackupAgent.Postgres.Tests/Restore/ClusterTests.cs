using NLDS.BackupAgent.Postgres.Restore;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Restore;

/// <summary>Servers of every kind: killed under load, backed up and tailed until then, restored.</summary>
public sealed class ClusterTests
{
    [Theory]
    [InlineData(14, 16, false)]
    [InlineData(15, 64, true)]
    [InlineData(16, 1, true)]
    [InlineData(17, 16, true)]
    [InlineData(18, 1, false)]
    public async Task Every_row_before_the_kill_that_was_durable_is_there_and_none_that_was_never_written(int major, int segmentMegabytes, bool checksums)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Major = major, WalSegmentMegabytes = segmentMegabytes, DataChecksums = checksums, ExtraSettings = Unsafe,
        });
        var store = new MemoryObjectStore();
        await using var agent = Agent.For(server, store);
        await server.ExecuteAsync(Ledger.Create);
        await agent.StartTailAsync();
        using var stop = new CancellationTokenSource();
        var acknowledged = new List<(int Entry, DateTimeOffset At)>();
        var writer = WriteAsync(server, acknowledged, stop.Token);
        await Eventually.TrueAsync(() => acknowledged.Count >= 20, "rows are written");
        await agent.BackUpAsync();
        var soFar = acknowledged.Count;
        await Eventually.TrueAsync(() => acknowledged.Count >= soFar + 50, "more rows are written");
        await server.KillAsync();
        await stop.CancelAsync();
        var attempted = await writer;
        await Eventually.TrueAsync(() => !agent.Source.Status.IsStreaming, "the agent notices");
        var claimed = agent.Source.Status.RecoverableUntil.ShouldNotBeNull();
        await agent.StopTailAsync();

        using var directory = new TemporaryDirectory();
        await agent.RestoreAsync(directory["data"]);
        RequirePrivate(directory["data"]);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], major);

        var last = await Ledger.LastAsync(copy);
        last.ShouldBeGreaterThanOrEqualTo(acknowledged.LastOrDefault(a => a.At <= claimed).Entry);
        last.ShouldBeLessThanOrEqualTo(attempted);
        (await agent.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_restore_follows_the_newest_history_and_goes_back_to_an_older_one()
    {
        var store = new MemoryObjectStore();
        await using var first = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe });
        await first.ExecuteAsync(Ledger.Create);
        string backup;
        string onFirst;
        await using var second = await first.CreateStandbyAsync();
        await using (var agent = Agent.For(first, store))
        {
            await agent.StartTailAsync();
            await Ledger.AppendAsync(first, 1);
            backup = await agent.BackUpAsync();
            await Ledger.AppendAsync(first, 2);
            onFirst = await agent.CatchUpAsync(first);
            await Ledger.AppendAsync(first, 3);
            await agent.CatchUpAsync(first);
        }

        await PromoteAsync(second, 3);
        await first.KillAsync();
        await using var third = await second.CreateStandbyAsync();
        await using (var agent = Agent.For(second, store))
        {
            await agent.StartTailAsync();
            await Ledger.AppendAsync(second, 4);
            await agent.CatchUpAsync(second);
        }

        await PromoteAsync(third, 4);
        await second.KillAsync();
        await using var last = Agent.For(third, store);
        await last.StartTailAsync();
        await Ledger.AppendAsync(third, 5);
        await last.CatchUpAsync(third);
        await last.StopTailAsync();
        await third.KillAsync();

        // The newest, from the one backup on timeline 1, across both switches.
        using var directory = new TemporaryDirectory();
        var plan = await last.RestoreAsync(directory["newest"]);
        plan.BackupId.ShouldBe(backup);
        plan.Timeline.ShouldBe(3U);
        await using (var copy = await PostgresServer.StartOnDirectoryAsync(directory["newest"], 15))
        {
            (await Ledger.LastAsync(copy)).ShouldBe(5);
            (await HistoryAsync(copy)).ShouldBe("4 out of 1 2 3");
        }

        // A moment on timeline 1: the copy grows out of timeline 1, and takes no number that was used.
        var old = await last.RestoreAsync(directory["old"], onFirst);
        old.Timeline.ShouldBe(1U);
        await using (var copy = await PostgresServer.StartOnDirectoryAsync(directory["old"], 15))
        {
            (await Ledger.LastAsync(copy)).ShouldBe(2);
            (await HistoryAsync(copy)).ShouldBe("4 out of 1");
        }

        // The archive's own confirmation may be of the timeline before, when the agent ended just after the switch.
        var confirmation = new ObjectKey("postgres/wal/tail/confirmed.json");
        await store.ReplaceAsync(
            confirmation,
            ProvenJson.Prove(
                $$"""{"lineage":"00000002","position":{{Lsn.Parse(onFirst).Value}},"asOf":"2026-01-01T00:00:00+00:00"}"""),
            CancellationToken.None);
        (await last.PlanAsync(directory["again"])).Timeline.ShouldBe(3U);
        (await last.VerifyAsync()).Damage.ShouldBeEmpty();

        // Without a history nobody knows which numbers were used.
        await store.RemoveAsync(new ObjectKey("postgres/wal/00000002.history"));
        (await Should.ThrowAsync<NotRestorableException>(() => last.PlanAsync(directory["again"], onFirst))).Message.ShouldContain("00000002.history");
        (await last.VerifyAsync()).Damage.ShouldContain(d => d.Subject.Contains("00000002.history", StringComparison.Ordinal));
    }

    /// <summary>At the shutdown's checkpoint of the promoted server recovery reads the prepared transaction's state from the segment file of the timeline before.</summary>
    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task A_restore_across_a_promotion_keeps_a_transaction_that_was_prepared_before_it(int major)
    {
        var store = new MemoryObjectStore();
        var settings = new Dictionary<string, string>(Unsafe) { ["max_prepared_transactions"] = "4" };
        await using var first = await PostgresServer.StartAsync(new PostgresServerOptions { Major = major, WalSegmentMegabytes = 16, ExtraSettings = settings });
        await first.ExecuteAsync(Ledger.Create);
        using var copied = new TemporaryDirectory();
        await using (var agent = Agent.For(first, store))
        {
            await agent.StartTailAsync();
            await agent.BackUpAsync();
            await Ledger.AppendAsync(first, 1);
            await first.ExecuteAsync("BEGIN; INSERT INTO ledger (entry) VALUES (2); PREPARE TRANSACTION 'open'");
            await agent.CatchUpAsync(first);
            await agent.StopTailAsync();
            await first.KillAsync();
            await agent.RestoreAsync(copied["second"]);
        }

        await using var second = await PostgresServer.StartOnDirectoryAsync(copied["second"], major);
        await RecoveredAsync(second);
        await using var last = Agent.For(second, store, consent: new AdoptionConsent(toAny: true));
        await last.StartTailAsync();
        await last.CatchUpAsync(second);
        await second.StopAsync();
        await second.StartAgainAsync();
        await Ledger.AppendAsync(second, 3);
        await last.CatchUpAsync(second);
        await last.StopTailAsync();
        await second.KillAsync();

        await last.RestoreAsync(copied["third"]);
        await using var third = await PostgresServer.StartOnDirectoryAsync(copied["third"], major);
        await RecoveredAsync(third);
        await third.ExecuteAsync("COMMIT PREPARED 'open'");
        (await third.ScalarAsync<string>("SELECT string_agg(entry::text, ' ' ORDER BY entry) FROM ledger")).ShouldBe("1 2 3");
    }

    /// <summary>pg_basebackup copies the settings: a standby with the original's recovery target would look for a timeline that it lacks, or stop at the target.</summary>
    [Fact]
    public async Task A_restored_server_that_has_recovered_can_be_copied_as_a_standby_which_follows_it()
    {
        var store = new MemoryObjectStore();
        using var directory = new TemporaryDirectory();
        await using (var original = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe }))
        {
            await original.ExecuteAsync(Ledger.Create);
            await using var agent = Agent.For(original, store);
            await agent.StartTailAsync();
            await agent.BackUpAsync();
            await Ledger.AppendAsync(original, 1);
            await agent.CatchUpAsync(original);
            await agent.StopTailAsync();
            await agent.RestoreAsync(directory["data"]);
        }

        await using var restored = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await Ledger.LastAsync(restored)).ShouldBe(1);
        await restored.StopAsync();
        await restored.StartAgainAsync();
        (await restored.ScalarAsync<string>("SELECT coalesce(string_agg(name, ' '), '') FROM pg_settings WHERE name ~ '^(recovery_target|recovery_end|restore_c)' AND sourcefile IS NOT NULL")).ShouldBeEmpty();
        (await restored.ScalarAsync<string>("SELECT current_setting('archive_mode')")).ShouldBe("off");
        (await restored.ScalarAsync<string>("SELECT current_setting('nlds.restored')")).ShouldNotBeEmpty();

        await using var standby = await restored.CreateStandbyAsync();
        await Ledger.AppendAsync(restored, 2);
        await Eventually.TrueAsync(() => standby.ScalarAsync<bool>("SELECT count(*) = 2 FROM ledger"), "the standby follows");
        (await standby.ScalarAsync<bool>("SELECT pg_is_in_recovery()")).ShouldBeTrue();
    }

    [Fact]
    public async Task Tablespaces_go_where_they_were_or_where_they_are_moved()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe });
        var (one, two) = (await server.CreateServerDirectoryAsync("one"), await server.CreateServerDirectoryAsync("with space\\and more"));
        await server.ExecuteAsync($"CREATE TABLESPACE one LOCATION '{one}'");
        await server.ExecuteAsync($"CREATE TABLESPACE two LOCATION '{two}'");
        await server.ExecuteAsync("CREATE TABLE in_one TABLESPACE one AS SELECT 1 AS n");
        await server.ExecuteAsync("CREATE TABLE in_two TABLESPACE two AS SELECT 2 AS n");
        await server.ExecuteAsync(Ledger.Create);
        await using var agent = Agent.For(server, new MemoryObjectStore());
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await Ledger.AppendAsync(server, 1);
        await agent.CatchUpAsync(server);
        await agent.StopTailAsync();

        using var directory = new TemporaryDirectory();
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["data"]))).Message.ShouldContain("--tablespace");
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["data"], null, null, $"{one}={directory["one"]}"))).Message.ShouldContain(two);
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["data"], null, null, $"/nowhere={directory["one"]}"))).Message.ShouldContain(one);
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["data"], null, null, $"{one}={directory["data"]}"))).Message.ShouldContain("target directory");
        (await Should.ThrowAsync<UsageException>(() => agent.PlanAsync(directory["data"], null, null, $"{one}={directory["x"]}", $"{two}={directory["x"]}"))).Message.ShouldContain("same directory");
        Directory.GetFileSystemEntries(directory.Path).ShouldBeEmpty();

        var moved = directory["two \\ moved"];
        await agent.RestoreAsync(directory["data"], null, null, $"{one}={directory["one"]}", $"{two}={moved}");
        await RequireTablespacesAsync(directory["data"], moved);

        // Where they were, once the original is gone.
        await server.KillAsync();
        foreach (var original in (string[])[one, two])
        {
            Directory.Delete(original, recursive: true);
        }

        await agent.RestoreAsync(directory["same"]);
        await RequireTablespacesAsync(directory["same"], two);
    }

    [Fact]
    public async Task A_cluster_whose_configuration_lay_elsewhere_gets_enough_to_start_and_its_owner()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe });
        await server.ExecuteAsync(Ledger.Create);
        await using var agent = Agent.For(server, new MemoryObjectStore());
        await agent.StartTailAsync();

        // As Debian has it; the running server does not mind.
        foreach (var name in (string[])["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
        {
            File.Move(Path.Combine(server.DataDirectory, name), Path.Combine(server.SocketDirectory, name));
        }

        await agent.BackUpAsync();
        foreach (var name in (string[])["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
        {
            File.Move(Path.Combine(server.SocketDirectory, name), Path.Combine(server.DataDirectory, name));
        }

        await Ledger.AppendAsync(server, 1);
        await agent.CatchUpAsync(server);
        using var directory = new TemporaryDirectory();
        await agent.RestoreAsync(directory["data"]);

        File.ReadAllText(directory["data/postgresql.conf"]).ShouldContain("max_connections = '20'");
        RequireOwner(directory["data"], UnixFiles.Owner(server.DataDirectory));
        RequirePrivate(directory["data"]);

        // The one that lets the owner in is by password; a test has none.
        await File.WriteAllTextAsync(directory["data/pg_hba.conf"], "host all all 127.0.0.1/32 trust\n", TestContext.Current.CancellationToken);
        await using var copy = await PostgresServer.StartOnDirectoryAsync(directory["data"], 15);
        (await Ledger.LastAsync(copy)).ShouldBe(1);
    }

    [Fact]
    public async Task A_log_that_ends_within_a_record_of_many_segments_or_behind_a_switch_is_restored_to_its_last_whole_record()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1, ExtraSettings = Unsafe });
        await server.ExecuteAsync(Ledger.Create);
        var store = new MemoryObjectStore();
        await using var agent = Agent.For(server, store);
        await agent.StartTailAsync();
        await agent.BackUpAsync();
        await Ledger.AppendAsync(server, 1);
        await server.ExecuteAsync("SELECT pg_switch_wal()");
        var switched = await agent.CatchUpAsync(server);
        using var directory = new TemporaryDirectory();
        await agent.RestoreAsync(directory["switched"]);
        await using (var copy = await PostgresServer.StartOnDirectoryAsync(directory["switched"], 15))
        {
            (await Ledger.LastAsync(copy)).ShouldBe(1);
        }

        await Ledger.AppendAsync(server, 2);
        var before = Lsn.Parse(await server.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text"));
        await server.ExecuteAsync("SELECT pg_logical_emit_message(false, 'long', repeat('x', 3500000))");
        await agent.CatchUpAsync(server);
        var within = before + 2_500_000;
        Lsn.Parse(switched).ShouldBeLessThan(within);

        var plan = await agent.RestoreAsync(directory["within"], within.ToString());

        plan.Stop.Record.ShouldBeLessThan(before);
        plan.WalFiles[^1].Segment.Start.ShouldBeGreaterThan(before + 1_000_000);
        await using (var copy = await PostgresServer.StartOnDirectoryAsync(directory["within"], 15))
        {
            (await Ledger.LastAsync(copy)).ShouldBe(2);
        }
    }

    private static IReadOnlyDictionary<string, string> Unsafe { get; } = new Dictionary<string, string> { ["fsync"] = "off", ["autovacuum"] = "off", ["wal_keep_size"] = "256MB" };

    private static async Task<int> WriteAsync(PostgresServer server, List<(int Entry, DateTimeOffset At)> acknowledged, CancellationToken stop)
    {
        await using var connection = new Npgsql.NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(CancellationToken.None);
        for (var entry = 1; ; entry++)
        {
            try
            {
                await using var command = new Npgsql.NpgsqlCommand($"INSERT INTO ledger VALUES ({entry}, repeat('x', 500)) RETURNING clock_timestamp()", connection);
                await command.ExecuteScalarAsync(CancellationToken.None);
                acknowledged.Add((entry, TimeProvider.System.GetUtcNow()));
            }
            catch (Npgsql.NpgsqlException)
            {
                return entry;
            }

            if (stop.IsCancellationRequested)
            {
                return entry;
            }
        }
    }

    private static async Task PromoteAsync(PostgresServer standby, int withRow)
    {
        await Eventually.TrueAsync(() => standby.ScalarAsync<bool>($"SELECT count(*) = {withRow} FROM ledger"), "the standby has all rows");
        await standby.PromoteAsync();
    }

    private static Task RecoveredAsync(PostgresServer restored) =>
        Eventually.TrueAsync(() => restored.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()"), "the restored server promotes", details: restored.ReadLog);

    private static async Task<string> HistoryAsync(PostgresServer copy)
    {
        await copy.ExecuteAsync("CHECKPOINT");
        var timeline = (uint)await copy.ScalarAsync<int>("SELECT timeline_id FROM pg_control_checkpoint()");
        var text = File.ReadAllText(Path.Combine(copy.DataDirectory, "pg_wal", TimelineHistory.FileName(timeline)));
        return $"{timeline} out of {string.Join(' ', TimelineHistory.Parse(timeline, text).Ancestors.Select(a => a.Timeline))}";
    }

    private static async Task RequireTablespacesAsync(string data, string two)
    {
        await using var copy = await PostgresServer.StartOnDirectoryAsync(data, 15);
        (await Ledger.LastAsync(copy)).ShouldBe(1);
        (await copy.ScalarAsync<int>("SELECT in_one.n + in_two.n FROM in_one, in_two")).ShouldBe(3);
        (await copy.ScalarAsync<string>("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'two'")).ShouldBe(two);
        File.Exists(Path.Combine(two, TargetDirectory.InProgress)).ShouldBeFalse();
    }

    private static void RequirePrivate(string data)
    {
        const UnixFileMode notOurs = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        File.GetUnixFileMode(data).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var entry in Directory.EnumerateFileSystemEntries(data, "*", SearchOption.AllDirectories))
        {
            (File.GetUnixFileMode(entry) & notOurs).ShouldBe(UnixFileMode.None, entry);
        }
    }

    private static void RequireOwner(string data, (int User, int Group) owner)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(data, "*", SearchOption.AllDirectories).Prepend(data))
        {
            UnixFiles.Owner(entry).ShouldBe(owner, entry);
        }
    }
}
