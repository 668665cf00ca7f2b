using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing;
using static NLDS.BackupAgent.Postgres.Tests.Protocol.ScriptedServer;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

/// <summary>WAL streams and base backups from recorded shapes, byte by byte.</summary>
public sealed class ScriptedStreamTests
{
    private static readonly byte[] CopyBoth = [0, 0, 0];
    private static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_timeline_ends_with_a_handshake()
    {
        using var server = new ScriptedServer { PieceBytes = 7 }.Welcomes().Says('W', CopyBoth)
            .CopyData([(byte)'w'], Int64(0x1000), Int64(0x9000), Int64(1_000_000), "wal"u8.ToArray())
            .CopyData([(byte)'k'], Int64(0x9000), Int64(2_000_000), [1])
            .Says('c').Describes("next_tli", "next_tli_startpos").Row("2", "0/10C00240").Completes("START_STREAMING").Completes("START_REPLICATION")
            .Says('S', CString("in_hot_standby"), CString("off")).IsReady();
        await using var connection = await server.ConnectAsync();
        var stream = await connection.StartReplicationAsync("nlds", new Lsn(0x1000), 1, Token);

        var data = await stream.ReadAsync(Token);
        data.Kind.ShouldBe(WalMessageKind.Data);
        (data.Start, data.End, data.ServerEnd).ShouldBe((new Lsn(0x1000), new Lsn(0x1003), new Lsn(0x9000)));
        data.SentAt.ShouldBe(new DateTimeOffset(2000, 1, 1, 0, 0, 1, TimeSpan.Zero));
        Encoding.ASCII.GetString(data.Payload.Span).ShouldBe("wal");
        var keepalive = await stream.ReadAsync(Token);
        (keepalive.Kind, keepalive.ReplyRequested).ShouldBe((WalMessageKind.Keepalive, true));
        var end = await stream.ReadAsync(Token);

        (end.Kind, end.NextTimeline, end.SwitchPoint).ShouldBe((WalMessageKind.EndOfTimeline, 2u, Lsn.Parse("0/10C00240")));
        Encoding.ASCII.GetString(server.Heard).ShouldContain("START_REPLICATION SLOT \"nlds\" PHYSICAL 0/1000 TIMELINE 1\0");
        server.Heard[^5..].ShouldBe([(byte)'c', .. Int32(4)]);
        connection.Parameters["in_hot_standby"].ShouldBe("off");
    }

    [Fact]
    public async Task A_status_is_39_bytes_of_positions_and_time()
    {
        using var server = new ScriptedServer().Welcomes().Says('W', CopyBoth);
        var settings = new ConnectionSettings { Host = "scripted", Username = "backup", Time = new StoppedClock(Noon) };
        await using var connection = await server.ConnectAsync(settings);
        var stream = await connection.StartReplicationAsync(slot: null, new Lsn(1), 1, Token);

        await stream.SendStatusAsync(new Lsn(3), new Lsn(2), new Lsn(1), replyRequested: true, Token);

        var clock = (Noon - new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero)).Ticks / 10;
        server.Heard[^39..].ShouldBe([(byte)'d', .. Int32(38), (byte)'r', .. Int64(3), .. Int64(2), .. Int64(1), .. Int64(clock), 1]);
    }

    [Fact]
    public async Task Streaming_allocates_nothing_for_a_message()
    {
        const int messages = 2000;
        using var server = new ScriptedServer().Welcomes().Says('W', CopyBoth);
        var payload = new byte[8192];
        for (var i = 0; i < messages; i++)
        {
            server.CopyData([(byte)'w'], Int64(i), Int64(i), Int64(i), payload);
        }

        await using var connection = await server.ConnectAsync();
        var stream = await connection.StartReplicationAsync(slot: null, new Lsn(1), 1, Token);
        await stream.ReadAsync(Token);

        // A read from the wire is one for dozens of messages; only an unoptimised build allocates there.
        Allocations.OfEnded(async () =>
        {
            for (var i = 1; i < messages; i++)
            {
                await stream.ReadAsync(Token);
            }
        }).ShouldBeLessThan(messages * 24);
    }

    [Theory]
    [InlineData("14.23")]
    [InlineData("15.18")]
    public async Task Both_framings_of_a_base_backup_tell_the_same_story(string version)
    {
        using var server = new ScriptedServer { PieceBytes = 11 }.Welcomes(version);
        Prologue(server);
        if (version == "14.23")
        {
            server.Says('H', CopyBoth).CopyData("one"u8.ToArray()).Says('c')
                .Says('H', CopyBoth).CopyData("two"u8.ToArray()).Says('c')
                .Says('H', CopyBoth).CopyData("{}"u8.ToArray()).Says('c');
        }
        else
        {
            server.Says('H', CopyBoth)
                .CopyData("n"u8.ToArray(), CString("16384.tar"), CString("/space")).CopyData("done"u8.ToArray()).CopyData("d"u8.ToArray(), new byte[1024])
                .CopyData("p"u8.ToArray(), Int64(1027))
                .CopyData("n"u8.ToArray(), CString("base.tar"), CString("")).CopyData("dtwo"u8.ToArray()).CopyData("d"u8.ToArray(), new byte[1024])
                .CopyData("p"u8.ToArray(), Int64(2054))
                .CopyData("m"u8.ToArray()).CopyData("d{}"u8.ToArray()).Says('c');
        }

        server.Describes("recptr", "tli").Row("0/3000100", "1").Completes("SELECT").Completes("BASE_BACKUP").IsReady();
        await using var connection = await server.ConnectAsync();

        var story = await TellAsync(connection);

        story.ShouldBe(
        [
            "from 0/2000028", "archive 16384.tar of /space", "one", "1024 zeros", "1027 done",
            "archive base.tar of ", "two", "1024 zeros", "2054 done", "manifest", "{}", "until 0/3000100 on 1",
        ]);
    }

    [Fact]
    public async Task A_kind_of_backup_message_from_the_future_is_refused()
    {
        using var server = new ScriptedServer().Welcomes();
        Prologue(server);
        server.Says('H', CopyBoth).CopyData("z?"u8.ToArray());
        await using var connection = await server.ConnectAsync();

        (await Should.ThrowAsync<ProtocolException>(() => TellAsync(connection))).Message.ShouldContain("type 'z'");
    }

    [Fact]
    public async Task A_base_backup_without_its_manifest_does_not_end_well()
    {
        using var server = new ScriptedServer().Welcomes();
        Prologue(server);
        server.Says('H', CopyBoth).CopyData("n"u8.ToArray(), CString("base.tar"), CString("")).Says('c')
            .Describes("recptr", "tli").Row("0/3000100", "1").Completes("SELECT").Completes("BASE_BACKUP").IsReady();
        await using var connection = await server.ConnectAsync();

        await Should.ThrowAsync<ProtocolException>(() => TellAsync(connection));
    }

    [Fact]
    public void The_command_is_in_the_grammar_of_the_version()
    {
        var options = new BaseBackupOptions { Label = "it's", MaxRateKb = 1024, VerifyChecksums = false };

        options.ToCommand(14).ShouldBe(
            "BASE_BACKUP LABEL 'it''s' PROGRESS FAST NOWAIT MAX_RATE 1024 TABLESPACE_MAP NOVERIFY_CHECKSUMS MANIFEST 'yes' MANIFEST_CHECKSUMS 'SHA256'");
        options.ToCommand(15).ShouldBe(
            "BASE_BACKUP (LABEL 'it''s', PROGRESS, CHECKPOINT 'fast', WAIT false, VERIFY_CHECKSUMS false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256', "
            + "TARGET 'client', TABLESPACE_MAP, MAX_RATE 1024)");
    }

    private static void Prologue(ScriptedServer server) => server
        .Describes("recptr", "tli").Row("0/2000028", "1").Completes("SELECT")
        .Describes("spcoid", "spclocation", "size").Row("16384", "/space", "1").Row(null, null, (string?)"7").Completes("SELECT");

    private static async Task<List<string>> TellAsync(ReplicationConnection connection)
    {
        var backup = await connection.BaseBackupAsync(new BaseBackupOptions { Label = "story" }, Token);
        var story = new List<string> { $"from {backup.StartLsn}" };
        while (true)
        {
            var next = await backup.ReadAsync(Token);
            story.Add(next.Kind switch
            {
                BaseBackupEventKind.ArchiveStart => $"archive {next.ArchiveName} of {next.Location}",
                BaseBackupEventKind.ManifestStart => "manifest",
                BaseBackupEventKind.Progress => $"{next.BytesDone} done",
                BaseBackupEventKind.End => $"until {next.EndLsn} on {next.EndTimeline}",
                _ when next.Data.Span.IndexOfAnyExcept((byte)0) < 0 => $"{next.Data.Length} zeros",
                _ => Encoding.ASCII.GetString(next.Data.Span),
            });
            if (next.Kind == BaseBackupEventKind.End)
            {
                return story;
            }
        }
    }

    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
