using NLDS.BackupAgent.Postgres.Backup;
using NLDS.BackupAgent.Postgres.Tests.Restore;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Checks;

/// <summary>Every fault is found with what to do, and nothing is changed by looking.</summary>
public sealed class PostgresChecksTests(CheckedServer fixture) : IClassFixture<CheckedServer>
{
    private PostgresServer Server => fixture.Server;

    [Fact]
    public async Task A_server_that_is_ready_has_no_fault_and_no_slot_afterwards()
    {
        (await CheckAsync()).Where(f => f.Verdict == CheckVerdict.Fault).ShouldBeEmpty();
        (await Server.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'nlds%'")).ShouldBe(0);
    }

    [Fact]
    public async Task Incremental_backups_that_the_server_cannot_take_are_a_warning_where_they_are_asked_for()
    {
        (await CheckAsync()).ShouldNotContain(f => f.Subject == "incremental backups");

        var warning = (await CheckAsync(("Postgres:FullBackup:FullEvery", "7"))).Single(f => f.Subject == "incremental backups");

        warning.Verdict.ShouldBe(CheckVerdict.Warning);
        warning.Message.ShouldContain("PostgreSQL 15 takes no incremental backups");
        IncrementalParents.WhyUnable(17, "off").ShouldNotBeNull().ShouldContain("summarize_wal");
        IncrementalParents.WhyUnable(17, "on").ShouldBeNull();
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_a_fault_of_host_and_port_with_one_advice()
    {
        foreach (var subject in (string[])["replication connection", "SQL connection"])
        {
            var fault = await FaultAsync(subject, ("Postgres:Port", "1"));
            fault.ShouldContain("Postgres:Port");
            fault.Split(" Check ").Length.ShouldBe(2, fault);
        }
    }

    [Fact]
    public async Task A_wrong_password_is_named_without_telling_it()
    {
        var fault = await FaultAsync("replication connection", ("Postgres:Password", "a secret guess"));
        fault.ShouldContain("Postgres:Password");
        fault.ShouldNotContain("a secret guess");
        (await FaultAsync("SQL connection", ("Postgres:Password", "a secret guess"))).ShouldContain("Postgres:Password");
    }

    [Fact]
    public async Task A_role_without_replication_is_told_how_to_get_it() =>
        (await FaultAsync("replication connection", ("Postgres:Username", "weak"))).ShouldContain("ALTER ROLE weak LOGIN REPLICATION");

    [Fact]
    public async Task A_missing_line_of_pg_hba_is_named() =>
        (await FaultAsync("replication connection", ("Postgres:Username", "stranger"))).ShouldContain("host replication stranger");

    [Fact]
    public async Task A_database_that_does_not_exist_is_named() =>
        (await FaultAsync("SQL connection", ("Postgres:Database", "nowhere"))).ShouldContain("Postgres:Database");

    [Fact]
    public async Task A_log_that_cannot_be_replayed_and_slots_that_are_all_taken_are_found_at_once()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            WalSegmentMegabytes = 1,
            ExtraSettings = new Dictionary<string, string> { ["wal_level"] = "minimal", ["max_wal_senders"] = "0", ["max_replication_slots"] = "0", ["fsync"] = "off" },
        });
        await using var agent = Agent.For(server, new MemoryObjectStore());
        var findings = await CollectAsync(agent);

        foreach (var subject in (string[])["wal_level", "max_wal_senders", "replication slot", "replication connection"])
        {
            findings.ShouldContain(f => f.Subject == subject && f.Verdict == CheckVerdict.Fault, subject);
        }

        findings.ShouldContain(f => f.Subject == "fsync" && f.Verdict == CheckVerdict.Warning);
    }

    [Fact]
    public async Task A_slot_of_another_kind_or_none_left_is_a_fault()
    {
        (await FaultAsync("replication slot", ("Postgres:Slot", "logical"))).ShouldContain("Postgres:Slot");
        (await FaultAsync("replication slot", ("Postgres:Slot", "absent"))).ShouldContain("max_replication_slots");
    }

    private async Task<string> FaultAsync(string subject, params (string Name, string Value)[] overrides) =>
        (await CheckAsync(overrides)).Single(f => f.Subject == subject && f.Verdict == CheckVerdict.Fault).Message;

    private async Task<List<CheckFinding>> CheckAsync(params (string Name, string Value)[] overrides)
    {
        var settings = overrides.ToDictionary(o => o.Name, o => (string?)o.Value);
        settings.TryAdd("Postgres:Slot", "taken");
        await using var agent = Agent.For(Server, new MemoryObjectStore(), settings);
        return await CollectAsync(agent);
    }

    private static async Task<List<CheckFinding>> CollectAsync(Agent agent)
    {
        var findings = new List<CheckFinding>();
        await foreach (var finding in agent.Source.CheckAsync(TestContext.Current.CancellationToken))
        {
            findings.Add(finding);
        }

        return findings;
    }
}

/// <summary>A server whose two slots are taken, with a role that may not replicate and one that may not come in.</summary>
public sealed class CheckedServer : IAsyncLifetime
{
    public PostgresServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            WalSegmentMegabytes = 1,
            ExtraSettings = new Dictionary<string, string> { ["wal_level"] = "logical", ["max_replication_slots"] = "2" },
        });
        await File.AppendAllTextAsync(Path.Combine(Server.DataDirectory, "pg_hba.conf"), "host all,replication weak 127.0.0.1/32 trust\n");
        await Server.ExecuteAsync("CREATE ROLE weak LOGIN; CREATE ROLE stranger LOGIN REPLICATION; SELECT pg_reload_conf()");
        await Server.ExecuteAsync("SELECT pg_create_physical_replication_slot('taken', true)");
        await Server.ExecuteAsync("SELECT pg_create_logical_replication_slot('logical', 'pgoutput')");
        await Eventually.TrueAsync(
            () => Server.ScalarAsync<bool>("SELECT bool_or(user_name @> '{weak}') FROM pg_hba_file_rules"), "the server has read its rules");
    }

    public ValueTask DisposeAsync() => Server?.DisposeAsync() ?? ValueTask.CompletedTask;
}
