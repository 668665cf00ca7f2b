using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;
using static NLDS.BackupAgent.Postgres.Tests.Protocol.ScriptedServer;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

/// <summary>What fuzzing found that a hostile or broken server could do, each by the smallest words that did it.</summary>
public sealed class HostileServerTests
{
    private static readonly byte[] CopyBoth = [0, 0, 0];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_length_of_a_message_is_a_claim_until_its_bytes_are_there()
    {
        // 800 MB were taken for 14 bytes.
        using var server = new ScriptedServer().Welcomes().SaysRaw("D2345");
        await using var connection = await server.ConnectAsync();
        var answer = Task.CompletedTask;

        Allocations.OfEnded(() => answer = connection.IdentifySystemAsync(Token)).ShouldBeLessThan(1 << 20);

        await Should.ThrowAsync<ConnectionLostException>(() => answer);
    }

    [Fact]
    public async Task A_row_or_its_description_with_a_negative_number_of_fields_is_refused()
    {
        await RefusesAsync(server => server.Says('T', Int16(-1)), connection => connection.IdentifySystemAsync(Token));
        await RefusesAsync(server => server.Describes("a").Says('D', Int16(-1)), connection => connection.IdentifySystemAsync(Token));
    }

    [Fact]
    public async Task A_row_with_fewer_values_than_columns_is_refused() => await RefusesAsync(
        server => server.Describes("systemid", "timeline", "xlogpos").Row("7").Completes("X").IsReady(), connection => connection.IdentifySystemAsync(Token));

    [Fact]
    public async Task An_answer_without_columns_is_refused() =>
        await RefusesAsync(server => server.Describes().Row(Array.Empty<string?>()).Completes("SHOW").IsReady(), connection => connection.ShowAsync("x", Token));

    [Theory]
    [InlineData("7/X")]
    [InlineData("")]
    public async Task A_position_that_is_none_is_refused(string position) => await RefusesAsync(
        server => server.Describes("systemid", "timeline", "xlogpos", "dbname").Row("7", "1", position, null).Completes("IDENTIFY_SYSTEM").IsReady(),
        connection => connection.IdentifySystemAsync(Token));

    [Fact]
    public async Task A_segment_size_that_is_none_is_refused() =>
        await RefusesAsync(server => server.Describes("x").Row("17MB").Completes("SHOW").IsReady(), connection => connection.ShowWalSegmentSizeAsync(Token));

    [Fact]
    public async Task A_salt_of_three_bytes_is_refused()
    {
        using var server = new ScriptedServer().Says('R', Int32(5), [1, 2, 3]);

        await Should.ThrowAsync<ProtocolException>(() => server.ConnectAsync());
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public async Task A_time_outside_of_the_calendar_is_no_failure(long microseconds)
    {
        using var server = new ScriptedServer().Welcomes().Says('W', CopyBoth)
            .CopyData([(byte)'k'], Int64(1), Int64(microseconds), [0]).CopyData([(byte)'w'], Int64(1), Int64(1), Int64(microseconds), [1]);
        await using var connection = await server.ConnectAsync();
        var stream = await connection.StartReplicationAsync("nlds", new Lsn(1), 1, Token);

        (await stream.ReadAsync(Token)).Kind.ShouldBe(WalMessageKind.Keepalive);
        (await stream.ReadAsync(Token)).Kind.ShouldBe(WalMessageKind.Data);
    }

    [Fact]
    public async Task Log_behind_the_last_position_is_refused() => await RefusesAsync(
        server => server.Says('W', CopyBoth).CopyData([(byte)'w'], Int64(-1), Int64(-1), Int64(0), [1]),
        async connection => await (await connection.StartReplicationAsync("nlds", new Lsn(1), 1, Token)).ReadAsync(Token));

    [Fact]
    public async Task A_timeline_that_ends_without_naming_the_next_is_refused() => await RefusesAsync(
        server => server.Says('W', CopyBoth).Says('c').Describes("next_tli").IsReady(),
        async connection => await (await connection.StartReplicationAsync("nlds", new Lsn(1), 1, Token)).ReadAsync(Token));

    [Fact]
    public async Task A_base_backup_that_ends_without_saying_where_is_refused() =>
        await RefusesAsync(server => BeginBackup(server).Describes("recptr", "tli").IsReady(), ReadBackupAsync);

    [Theory]
    [InlineData("../../etc/cron.d/x.tar")]
    [InlineData("base")]
    [InlineData(".tar")]
    public async Task An_archive_of_another_name_is_refused(string name) =>
        await RefusesAsync(server => BeginBackup(server).Says('H', CopyBoth).CopyData([(byte)'n'], CString(name), CString("")), ReadBackupAsync);

    [Theory]
    [InlineData("../1", "1")]
    [InlineData("16385", "many")]
    [InlineData("16385", "-1")]
    public async Task A_tablespace_that_is_none_is_refused(string oid, string size) => await RefusesAsync(
        server => server.Describes("recptr", "tli").Row("0/2000028", "1").Completes("SELECT").Describes("spcoid", "spclocation", "size").Row(oid, "/elsewhere", size).Completes("SELECT"),
        ReadBackupAsync);

    [Fact]
    public void A_hundred_thousand_beginnings_of_a_copy_take_no_stack()
    {
        // Each was a call within the last one's, up to the end of the process.
        using var server = BeginBackup(new ScriptedServer().Welcomes());
        for (var i = 0; i < 100_000; i++)
        {
            server.Says('H');
        }

        Exception? thrown = null;
        var thread = new Thread(() => thrown = Record.Exception(() => ConnectAndReadAsync().GetAwaiter().GetResult()), maxStackSize: 512 << 10);
        thread.Start();
        thread.Join();

        thrown.ShouldBeOfType<ConnectionLostException>();

        async Task ConnectAndReadAsync()
        {
            await using var connection = await server.ConnectAsync();
            await ReadBackupAsync(connection);
        }
    }

    private static ScriptedServer BeginBackup(ScriptedServer server) => server
        .Describes("recptr", "tli").Row("0/2000028", "1").Completes("SELECT").Describes("spcoid", "spclocation", "size").Row(null, null, "5").Completes("SELECT");

    private static async Task ReadBackupAsync(ReplicationConnection connection)
    {
        var backup = await connection.BaseBackupAsync(new BaseBackupOptions { Label = "nlds" }, Token);
        while ((await backup.ReadAsync(Token)).Kind != BaseBackupEventKind.End)
        {
        }
    }

    private static async Task RefusesAsync(Func<ScriptedServer, ScriptedServer> script, Func<ReplicationConnection, Task> ask)
    {
        using var server = script(new ScriptedServer().Welcomes());
        await using var connection = await server.ConnectAsync();

        await Should.ThrowAsync<ProtocolException>(() => ask(connection));
    }
}
