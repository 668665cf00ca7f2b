using System.Globalization;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

public sealed class WalStreamTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private static readonly WalSegmentSize Megabyte = new(1 << 20);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private PostgresServer Server => fixture.Server;

    [Theory]
    [InlineData(14)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(18)]
    public async Task The_stream_is_what_lies_in_the_segment_file(int major)
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Major = major, WalSegmentMegabytes = 1 });
        await using var connection = await server.OpenAsync();
        await connection.CreatePhysicalSlotAsync("tail", temporary: true, Token);
        var start = Megabyte.RoundDown((await connection.IdentifySystemAsync(Token)).Position);
        await server.ExecuteAsync("CREATE TABLE t AS SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g");
        var stream = await connection.StartReplicationAsync("tail", start, 1, Token);

        var received = await stream.ReceiveAsync(start, start + (2UL << 20), Token);

        foreach (var index in new[] { 0, 1 })
        {
            var segment = WalSegment.Holding(start + (ulong)(index << 20), 1, Megabyte);
            var file = await File.ReadAllBytesAsync(Path.Combine(server.DataDirectory, "pg_wal", segment.Name), Token);
            received.AsSpan(index << 20, 1 << 20).SequenceEqual(file).ShouldBeTrue(segment.Name);
        }
    }

    [Fact]
    public async Task A_status_moves_the_slot_and_a_requested_reply_comes()
    {
        await using var connection = await Server.OpenAsync();
        await connection.CreatePhysicalSlotAsync("moving", temporary: true, Token);
        var start = (await connection.IdentifySystemAsync(Token)).Position;
        var stream = await connection.StartReplicationAsync("moving", start, 1, Token);

        await stream.SendStatusAsync(start, start, Lsn.Invalid, replyRequested: true, Token);
        var reply = await stream.ReadAsync(Token);

        reply.Kind.ShouldBe(WalMessageKind.Keepalive);
        reply.ServerEnd.ShouldBeGreaterThanOrEqualTo(start);
        (reply.SentAt - TimeProvider.System.GetUtcNow()).Duration().ShouldBeLessThan(TimeSpan.FromMinutes(1));
        (await Server.ScalarAsync<string>("SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = 'moving'")).ShouldBe($"{start}");
    }

    [Fact]
    public async Task Many_may_send_status_while_one_reads()
    {
        const int writers = 4;
        const int statuses = 500;
        await using var connection = await Server.OpenAsync();
        var start = Megabyte.RoundDown((await connection.IdentifySystemAsync(Token)).Position);
        var stream = await connection.StartReplicationAsync(slot: null, start, 1, Token);
        var writing = Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(
            async () =>
            {
                for (var i = 0; i < statuses; i++)
                {
                    await stream.SendStatusAsync(start, start, Lsn.Invalid, replyRequested: true, Token);
                }
            },
            Token)));

        // Every status asked for a reply, and the server answers a torn one with an error and not with a keepalive.
        for (var replies = 0; replies < writers * statuses;)
        {
            replies += (await stream.ReadAsync(Token)).Kind == WalMessageKind.Keepalive ? 1 : 0;
        }

        await writing;
        await stream.StopAsync(Token);
    }

    [Fact]
    public async Task A_stopped_stream_leaves_an_idle_connection()
    {
        await using var connection = await Server.OpenAsync();
        var start = Megabyte.RoundDown((await connection.IdentifySystemAsync(Token)).Position);
        var stream = await connection.StartReplicationAsync(slot: null, start, 1, Token);

        await stream.StopAsync(Token);

        (await connection.IdentifySystemAsync(Token)).Timeline.ShouldBe(1u);
        await Should.ThrowAsync<InvalidOperationException>(async () => await stream.ReadAsync(Token));
        await stream.SendStatusAsync(start, start, start, replyRequested: false, Token);
    }

    [Fact]
    public async Task A_cancelled_read_loses_nothing()
    {
        await using var connection = await Server.OpenAsync();
        var start = Megabyte.RoundDown((await connection.IdentifySystemAsync(Token)).Position);
        var stream = await connection.StartReplicationAsync(slot: null, start, 1, Token);
        var position = start;
        using (var cancellation = new CancellationTokenSource())
        {
            var reading = Task.Run(
                async () =>
                {
                    while (true)
                    {
                        var message = await stream.ReadAsync(cancellation.Token);
                        position = message.Kind == WalMessageKind.Data ? message.End : position;
                    }
                },
                Token);
            await stream.SendStatusAsync(start, start, start, replyRequested: true, Token);
            await cancellation.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => reading);
        }

        await Server.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', repeat('x', 200000))");

        (await stream.ReceiveAsync(position, position + 200_000, Token)).Length.ShouldBe(200_000);
    }

    [Fact]
    public async Task A_slot_that_is_in_use_is_refused_with_its_holder()
    {
        await using var holder = await Server.OpenAsync();
        await holder.CreatePhysicalSlotAsync("busy", temporary: false, Token);
        var start = (await holder.IdentifySystemAsync(Token)).Position;
        var stream = await holder.StartReplicationAsync("busy", start, 1, Token);
        await using var other = await Server.OpenAsync();

        var refusal = await Should.ThrowAsync<PostgresServerException>(() => other.StartReplicationAsync("busy", start, 1, Token));

        refusal.SqlState.ShouldBe(SqlStates.ObjectInUse);
        refusal.ServerMessage.ShouldBe($"replication slot \"busy\" is active for PID {holder.BackendProcessId}");
        await stream.StopAsync(Token);
        await other.DropSlotAsync("busy", Token);
    }

    [Fact]
    public async Task A_start_beyond_the_servers_end_fails_in_the_stream_and_the_connection_lives_on()
    {
        await using var connection = await Server.OpenAsync();
        var beyond = (await connection.IdentifySystemAsync(Token)).Position + (1UL << 30);

        var failure = await Should.ThrowAsync<PostgresServerException>(async () => await ReadUntilEndAsync(connection, beyond, 1));

        failure.Message.ShouldContain("is ahead of the WAL flush position of this server");
        (await connection.IdentifySystemAsync(Token)).Timeline.ShouldBe(1u);
    }

    [Fact]
    public async Task Wal_that_was_removed_is_an_undefined_file()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            WalSegmentMegabytes = 1,
            ExtraSettings = new Dictionary<string, string> { ["min_wal_size"] = "2MB", ["max_wal_size"] = "2MB", ["wal_keep_size"] = "0" },
        });
        var start = Megabyte.RoundDown(Lsn.Parse(await server.ScalarAsync<string>("SELECT pg_current_wal_flush_lsn()::text")));
        await server.ExecuteAsync("CREATE TABLE t AS SELECT g, repeat('x', 100) FROM generate_series(1, 50000) g");
        await server.ExecuteAsync("CHECKPOINT");
        await server.ExecuteAsync("SELECT pg_switch_wal()");
        await server.ExecuteAsync("CHECKPOINT");
        await using var connection = await server.OpenAsync();

        var failure = await Should.ThrowAsync<PostgresServerException>(async () => await ReadUntilEndAsync(connection, start, 1));

        failure.SqlState.ShouldBe(SqlStates.UndefinedFile);
        failure.ServerMessage.ShouldBe($"requested WAL segment {WalSegment.Holding(start, 1, Megabyte)} has already been removed");
    }

    [Fact]
    public async Task A_promotion_ends_the_timeline_and_the_next_one_goes_on_from_there()
    {
        await using var standby = await Server.CreateStandbyAsync();
        await using var connection = await standby.OpenAsync();
        var start = Megabyte.RoundDown((await connection.IdentifySystemAsync(Token)).Position);
        var stream = await connection.StartReplicationAsync(slot: null, start, 1, Token);
        var reading = ReadUntilEndAsync(stream);

        await standby.PromoteAsync();
        var end = await reading;

        end.Kind.ShouldBe(WalMessageKind.EndOfTimeline);
        end.NextTimeline.ShouldBe(2u);
        var history = TimelineHistory.Parse(2, System.Text.Encoding.UTF8.GetString((await connection.TimelineHistoryAsync(2, Token)).Content));
        history.SwitchPointOf(1).ShouldBe(end.SwitchPoint);
        history.Start.ShouldBe(end.SwitchPoint);
        await standby.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', 'on timeline 2')");
        var from = Megabyte.RoundDown(end.SwitchPoint);
        var next = await connection.StartReplicationAsync(slot: null, from, 2, Token);
        await next.ReceiveAsync(from, end.SwitchPoint + 8, Token);
    }

    [Fact]
    public async Task A_start_at_the_switch_point_ends_the_timeline_at_once()
    {
        await using var standby = await Server.CreateStandbyAsync();
        await standby.PromoteAsync();
        await using var connection = await standby.OpenAsync();
        var history = TimelineHistory.Parse(2, System.Text.Encoding.UTF8.GetString((await connection.TimelineHistoryAsync(2, Token)).Content));

        var stream = await connection.StartReplicationAsync(slot: null, history.Start, 1, Token);
        var end = await stream.ReadAsync(Token);

        end.Kind.ShouldBe(WalMessageKind.EndOfTimeline);
        end.NextTimeline.ShouldBe(2u);
        end.SwitchPoint.ShouldBe(history.Start);
        (await connection.IdentifySystemAsync(Token)).Timeline.ShouldBe(2u);
    }

    [Fact]
    public async Task A_timeline_that_the_server_does_not_know_is_refused()
    {
        await using var connection = await Server.OpenAsync();
        var start = (await connection.IdentifySystemAsync(Token)).Position;

        var refusal = await Should.ThrowAsync<PostgresServerException>(() => connection.StartReplicationAsync(slot: null, start, 7, Token));

        refusal.ServerMessage.ShouldBe("requested timeline 7 is not in this server's history");
    }

    [Fact]
    public async Task A_fast_shutdown_says_goodbye_once_everything_is_acknowledged()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { WalSegmentMegabytes = 1 });
        await using var connection = await server.OpenAsync();
        await connection.CreatePhysicalSlotAsync("tail", temporary: false, Token);
        var position = Megabyte.RoundDown((await connection.IdentifySystemAsync(Token)).Position);
        var stream = await connection.StartReplicationAsync("tail", position, 1, Token);

        var stopping = server.StopAsync();
        while (true)
        {
            var message = await stream.ReadAsync(Token);
            if (message.Kind == WalMessageKind.ServerShutdown)
            {
                break;
            }

            position = message.Kind == WalMessageKind.Data ? message.End : position;
            if (message.ReplyRequested)
            {
                await stream.SendStatusAsync(position, position, Lsn.Invalid, replyRequested: false, Token);
            }
        }

        await stopping;
        await Should.ThrowAsync<InvalidOperationException>(() => connection.IdentifySystemAsync(Token));
    }

    [Fact]
    public async Task A_cut_connection_is_lost_and_a_refused_one_never_begins()
    {
        await using var proxy = TcpProxy.Start(Server.Host, Server.Port);
        var settings = Server.SettingsFor() with { Port = proxy.Port };
        await using var connection = await ReplicationConnection.OpenAsync(settings, Token);
        var start = (await connection.IdentifySystemAsync(Token)).Position;
        var stream = await connection.StartReplicationAsync(slot: null, start, 1, Token);
        var reading = ReadUntilEndAsync(stream);

        proxy.Cut();

        await Should.ThrowAsync<ConnectionLostException>(() => reading);
        await proxy.RefuseAsync();
        var refusal = await Should.ThrowAsync<ConnectionLostException>(() => ReplicationConnection.OpenAsync(settings, Token));
        refusal.Message.ShouldContain(proxy.Port.ToString(CultureInfo.InvariantCulture));
        proxy.Welcome();
        await using var again = await ReplicationConnection.OpenAsync(settings, Token);
    }

    [Fact]
    public async Task A_server_that_hangs_is_given_up_after_the_connect_timeout()
    {
        await using var proxy = TcpProxy.Start(Server.Host, Server.Port);
        proxy.ToClient.Stall();
        var settings = Server.SettingsFor() with { Port = proxy.Port, ConnectTimeout = TimeSpan.FromMilliseconds(200) };

        var lost = await Should.ThrowAsync<ConnectionLostException>(() => ReplicationConnection.OpenAsync(settings, Token));

        lost.Message.ShouldContain("did not accept a connection within 0.2 s");
    }

    private static async Task<WalMessage> ReadUntilEndAsync(ReplicationConnection connection, Lsn start, uint timeline) =>
        await ReadUntilEndAsync(await connection.StartReplicationAsync(slot: null, start, timeline, Token));

    private static async Task<WalMessage> ReadUntilEndAsync(WalStream stream)
    {
        while (true)
        {
            var message = await stream.ReadAsync(Token);
            if (message.Kind is WalMessageKind.EndOfTimeline or WalMessageKind.ServerShutdown)
            {
                return message;
            }
        }
    }
}
