using System.Security.Authentication;
using System.Text;
using NLDS.BackupAgent.Postgres.Lineage;
using NLDS.BackupAgent.Postgres.Protocol;
using static NLDS.BackupAgent.Postgres.Tests.Protocol.ScriptedServer;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

/// <summary>What no real server can be made to say on demand.</summary>
public sealed class ScriptedConnectionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4096)]
    public async Task Messages_may_come_in_pieces_of_any_size(int piece)
    {
        using var server = new ScriptedServer { PieceBytes = piece }.Welcomes()
            .Describes("systemid", "timeline", "xlogpos", "dbname").Row("7654321", "3", "A/B", null).Completes("IDENTIFY_SYSTEM").IsReady();
        await using var connection = await server.ConnectAsync();

        var identity = await connection.IdentifySystemAsync(Token);

        identity.ShouldBe(new SystemIdentity("7654321", 3, new(0xA_0000000B), null, IsStandby: false));
        connection.BackendProcessId.ShouldBe(4711);
        connection.ServerMajorVersion.ShouldBe(15);
    }

    [Theory]
    [InlineData("14.23", 14)]
    [InlineData("18beta1", 18)]
    [InlineData("19devel", 19)]
    public async Task A_version_begins_with_its_major_number(string version, int major)
    {
        using var server = new ScriptedServer().Welcomes(version);
        await using var connection = await server.ConnectAsync();

        connection.ServerMajorVersion.ShouldBe(major);
    }

    [Fact]
    public async Task A_value_larger_than_the_buffer_arrives_whole()
    {
        var large = new byte[3_000_000];
        new Random(20261123).NextBytes(large);
        using var server = new ScriptedServer { PieceBytes = 10_000 }.Welcomes().Describes("v").Row(large).Completes("SELECT 1").IsReady();
        await using var connection = await server.ConnectAsync();

        var results = await connection.QueryAsync("SELECT", Token);

        results[0].Bytes(0, "v").ShouldBe(large);
    }

    [Fact]
    public async Task Another_service_at_the_address_is_recognised_without_swallowing_its_noise()
    {
        using var server = new ScriptedServer().SaysRaw("HTTP/1.1 400 Bad Request\r\n\r\n");

        var failure = await Should.ThrowAsync<ProtocolException>(() => server.ConnectAsync());

        failure.Message.ShouldContain("Check that a PostgreSQL server answers at this address");
    }

    [Fact]
    public async Task A_password_is_not_sent_in_clear_over_a_network()
    {
        using var server = new ScriptedServer().Says('R', Int32(3));

        var refusal = await Should.ThrowAsync<AuthenticationException>(() => server.ConnectAsync(isPrivate: false));

        refusal.Message.ShouldContain("wants the password in clear over an unencrypted network");
        Encoding.ASCII.GetString(server.Heard).ShouldNotContain("secret");
    }

    [Fact]
    public async Task An_unknown_authentication_method_is_named()
    {
        using var server = new ScriptedServer().Says('R', Int32(7));

        (await Should.ThrowAsync<AuthenticationException>(() => server.ConnectAsync())).Message.ShouldContain("code 7");
    }

    [Fact]
    public async Task A_server_that_skips_its_own_proof_is_not_believed()
    {
        using var server = new ScriptedServer().Says('R', Int32(10), CString("SCRAM-SHA-256"), [0]).Says('R', Int32(0)).IsReady();

        (await Should.ThrowAsync<AuthenticationException>(() => server.ConnectAsync())).Message.ShouldContain("without proving");
    }

    [Fact]
    public async Task A_fatal_error_ends_the_connection_and_its_severity_is_not_the_translated_one()
    {
        using var server = new ScriptedServer().Welcomes().Fails("FATAL", "57P01", "terminating connection due to administrator command");
        await using var connection = await server.ConnectAsync();

        var failure = await Should.ThrowAsync<PostgresServerException>(() => connection.IdentifySystemAsync(Token));

        failure.Severity.ShouldBe("FATAL");
        failure.EndsConnection.ShouldBeTrue();
        await Should.ThrowAsync<ConnectionLostException>(() => connection.IdentifySystemAsync(Token));
    }

    /// <summary>Most of all where an error was the answer that was wanted, and the connection broke right behind it.</summary>
    [Fact]
    public async Task A_server_that_goes_away_behind_any_byte_is_a_lost_connection()
    {
        var whole = Questions().Script.Length;
        for (var bytes = 0; bytes < whole; bytes++)
        {
            using var server = Questions().GoesAwayAfter(bytes);

            await Should.ThrowAsync<ConnectionLostException>(() => AskAsync(server), $"{bytes} of {whole} bytes");
        }

        using var complete = Questions();
        await AskAsync(complete);

        static ScriptedServer Questions() => new ScriptedServer().Welcomes()
            .Describes("systemid", "timeline", "xlogpos", "dbname").Row("7654321", "3", "A/B", null).Completes("IDENTIFY_SYSTEM").IsReady()
            .Fails("ERROR", SqlStates.UndefinedObject, "unrecognized configuration parameter").IsReady()
            .Describes("filename", "content").Row("00000003.history", "1\t0/1000000\treason\n2\t0/2000000\treason\n").Completes("TIMELINE_HISTORY").IsReady()
            .Fails("ERROR", SqlStates.UndefinedFile, "could not open file").IsReady()
            .Describes("slot_type", "restart_lsn", "restart_tli").Row((string?)null, null, null).Completes("READ_REPLICATION_SLOT").IsReady();

        static async Task AskAsync(ScriptedServer server)
        {
            await using var connection = await server.ConnectAsync();
            var lineage = await ServerLineage.ReadAsync(connection, await connection.IdentifySystemAsync(Token), Token);
            lineage.Files.Count.ShouldBe(2);
            (await connection.ReadReplicationSlotAsync("nlds_backup", Token)).ShouldBeNull();
        }
    }

    [Fact]
    public async Task An_end_without_a_word_is_a_lost_connection()
    {
        using var server = new ScriptedServer().Welcomes().Describes("systemid");
        await using var connection = await server.ConnectAsync();

        await Should.ThrowAsync<ConnectionLostException>(() => connection.IdentifySystemAsync(Token));
    }

    [Fact]
    public async Task The_startup_packet_says_who_wants_what()
    {
        using var server = new ScriptedServer().Welcomes();
        await using var connection = await server.ConnectAsync();

        var packet = Encoding.UTF8.GetString(server.Heard.AsSpan(8));

        packet.ShouldBe("user\0backup\0replication\0true\0application_name\0nlds-backup-agent\0client_encoding\0UTF8\0\0");
        server.Heard[..8].ShouldBe([.. Int32(server.Heard.Length), 0, 3, 0, 0]);
    }

    [Fact]
    public async Task Slots_are_made_in_the_grammar_of_the_version()
    {
        (await HeardOf("14.23")).ShouldEndWith("CREATE_REPLICATION_SLOT \"a\"\"b\" PHYSICAL RESERVE_WAL\0");
        (await HeardOf("15.1")).ShouldEndWith("CREATE_REPLICATION_SLOT \"a\"\"b\" PHYSICAL (RESERVE_WAL)\0");

        static async Task<string> HeardOf(string version)
        {
            using var server = new ScriptedServer().Welcomes(version).Describes("slot_name").Row("x").Completes("CREATE_REPLICATION_SLOT").IsReady();
            var connection = await server.ConnectAsync();
            await connection.CreatePhysicalSlotAsync("a\"b", temporary: false, Token);
            return Encoding.UTF8.GetString(server.Heard);
        }
    }
}
