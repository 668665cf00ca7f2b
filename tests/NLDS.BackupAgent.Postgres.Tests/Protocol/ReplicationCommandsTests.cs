using System.Text;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

public sealed class ReplicationCommandsTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private PostgresServer Server => fixture.Server;

    [Fact]
    public async Task The_server_identifies_itself()
    {
        await using var connection = await Server.OpenAsync();

        var identity = await connection.IdentifySystemAsync(Token);

        identity.SystemIdentifier.ShouldBe((await Server.ScalarAsync<long>("SELECT system_identifier FROM pg_control_system()")).ToString());
        identity.Timeline.ShouldBe(1u);
        identity.Position.ShouldBeLessThanOrEqualTo(Lsn.Parse(await Server.ScalarAsync<string>("SELECT pg_current_wal_flush_lsn()::text")));
        identity.Position.IsValid.ShouldBeTrue();
        identity.DatabaseName.ShouldBeNull();
        connection.ServerMajorVersion.ShouldBe(15);
        connection.BackendProcessId.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_database_connection_runs_sql_and_replication_commands()
    {
        var settings = Server.SettingsFor() with { Mode = ReplicationMode.Database, Database = "postgres" };
        await using var connection = await ReplicationConnection.OpenAsync(settings, Token);

        var results = await connection.QueryAsync("SELECT 1 AS one, NULL AS nothing; SELECT 'zwei' AS two", Token);

        results.Count.ShouldBe(2);
        results[0].Text(0, "one").ShouldBe("1");
        results[0].Text(0, "nothing").ShouldBeNull();
        results[0].CommandTag.ShouldBe("SELECT 1");
        results[1].Text(0, "two").ShouldBe("zwei");
        (await connection.IdentifySystemAsync(Token)).DatabaseName.ShouldBe("postgres");
    }

    [Fact]
    public async Task The_segment_size_is_the_clusters_own()
    {
        await using var connection = await Server.OpenAsync();

        (await connection.ShowWalSegmentSizeAsync(Token)).Bytes.ShouldBe(1 << 20);
        (await connection.ShowAsync("wal_level", Token)).ShouldBe("replica");
    }

    [Fact]
    public async Task A_slot_reserves_wal_from_its_creation_on()
    {
        await using var connection = await Server.OpenAsync();
        (await connection.ReadReplicationSlotAsync("reserved", Token)).ShouldBeNull();

        await connection.CreatePhysicalSlotAsync("reserved", temporary: false, Token);
        var slot = await connection.ReadReplicationSlotAsync("reserved", Token);

        slot.ShouldNotBeNull().RestartLsn.ShouldNotBeNull().IsValid.ShouldBeTrue();
        slot.RestartTimeline.ShouldBe(1u);
        await connection.DropSlotAsync("reserved", Token);
        (await connection.ReadReplicationSlotAsync("reserved", Token)).ShouldBeNull();
    }

    [Fact]
    public async Task A_refused_command_leaves_the_connection_usable()
    {
        await using var connection = await Server.OpenAsync();
        await connection.CreatePhysicalSlotAsync("twice", temporary: true, Token);

        var refusal = await Should.ThrowAsync<PostgresServerException>(() => connection.CreatePhysicalSlotAsync("twice", temporary: true, Token));

        refusal.SqlState.ShouldBe(SqlStates.DuplicateObject);
        refusal.Severity.ShouldBe("ERROR");
        refusal.ServerMessage.ShouldBe("replication slot \"twice\" already exists");
        (await connection.IdentifySystemAsync(Token)).Timeline.ShouldBe(1u);
    }

    [Fact]
    public async Task The_first_timeline_has_no_history_to_fetch()
    {
        await using var connection = await Server.OpenAsync();

        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => connection.TimelineHistoryAsync(1, Token));
    }

    [Fact]
    public async Task Notices_reach_the_callback()
    {
        var notices = new List<PostgresNotice>();
        var settings = Server.SettingsFor() with { Mode = ReplicationMode.Database, Database = "postgres", OnNotice = notices.Add };
        await using var connection = await ReplicationConnection.OpenAsync(settings, Token);

        await connection.QueryAsync("DO $$ BEGIN RAISE WARNING 'look' USING HINT = 'here'; END $$", Token);

        notices.ShouldHaveSingleItem().ShouldBe(new PostgresNotice("WARNING", "01000", "look", null, "here"));
    }

    [Fact]
    public async Task A_promoted_standby_hands_out_its_history()
    {
        await using var standby = await Server.CreateStandbyAsync();
        await standby.PromoteAsync();
        await using var connection = await standby.OpenAsync();

        var file = await connection.TimelineHistoryAsync(2, Token);

        file.FileName.ShouldBe("00000002.history");
        file.Content.ShouldBe(await File.ReadAllBytesAsync(Path.Combine(standby.DataDirectory, "pg_wal", file.FileName), Token));
        TimelineHistory.Parse(2, Encoding.UTF8.GetString(file.Content)).Ancestors.ShouldHaveSingleItem().Timeline.ShouldBe(1u);
    }

    [Fact]
    public async Task A_server_that_is_promoted_after_it_was_asked_was_a_standby_on_the_timeline_that_it_named()
    {
        await using var standby = await Server.CreateStandbyAsync();
        await using var connection = await standby.OpenAsync();
        var asked = await connection.IdentifySystemAsync(Token);
        await standby.PromoteAsync();

        // The connection hears of it with the next answer.
        var lineage = await ServerLineage.ReadAsync(connection, asked, Token);

        connection.Parameters["in_hot_standby"].ShouldBe("off");
        lineage.Identity.ShouldSatisfyAllConditions(() => asked.Timeline.ShouldBe(1u), () => asked.IsStandby.ShouldBeTrue());
        var again = await connection.IdentifySystemAsync(Token);
        again.ShouldSatisfyAllConditions(() => again.Timeline.ShouldBe(2u), () => again.IsStandby.ShouldBeFalse());
    }
}
