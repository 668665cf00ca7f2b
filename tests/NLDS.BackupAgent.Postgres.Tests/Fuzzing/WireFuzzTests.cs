using System.Text;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Postgres.Tests.Protocol;
using NLDS.BackupAgent.Postgres.Wal;
using NLDS.BackupAgent.Testing.Fuzzing;
using static NLDS.BackupAgent.Postgres.Tests.Protocol.ScriptedServer;

namespace NLDS.BackupAgent.Postgres.Tests.Fuzzing;

/// <summary>A server, or what poses as one, that says anything at all: it is understood or refused, and a refusal is one that the source knows how to explain.</summary>
public sealed class WireFuzzTests(PostgresFixture fixture) : IClassFixture<PostgresFixture>
{
    private const int MostEvents = 200_000;

    private static readonly byte[] CopyBoth = [0, 0, 0];

    private static readonly byte[][] Words =
    [
        .. "RKZSTDCEIcHWNA".Select(type => (byte[])[(byte)type, 0, 0, 0, 4]),
        .. new[] { "Z\0\0\0\u0005I", "T\0\0\0\u0006\0\0", "D\0\0\0\u0006\0\0", "C\0\0\0\u0005\0", "recptr\0", "next_tli\0", "FATAL\0", "d\0\0\0\u0005n", "d\0\0\0\u0005m", "d\0\0\0\u0005w" }.Select(Encoding.ASCII.GetBytes),
    ];

    [Fact]
    public async Task Answers_to_queries()
    {
        var real = await RecordAsync(async connection =>
        {
            await connection.IdentifySystemAsync(TestContext.Current.CancellationToken);
            await connection.ShowAsync("wal_segment_size", TestContext.Current.CancellationToken);
        });
        using var scripted = new ScriptedServer().Welcomes()
            .Describes("systemid", "timeline", "xlogpos", "dbname").Row("7", "1", "0/1000", null).Completes("IDENTIFY_SYSTEM").IsReady()
            .Describes("wal_segment_size").Row("16MB").Completes("SHOW").IsReady();
        using var failing = new ScriptedServer().Welcomes().Fails("ERROR", "42601", "syntax error").IsReady().Fails("FATAL", "57P01", "terminating connection");
        Fuzz("a query's answer", [real, scripted.Script, failing.Script], async (connection, _) =>
        {
            await connection.IdentifySystemAsync(CancellationToken.None);
            await connection.ShowWalSegmentSizeAsync(CancellationToken.None);
        });
    }

    [Fact]
    public void Slots_and_histories()
    {
        using var scripted = new ScriptedServer().Welcomes()
            .Describes("slot_type", "restart_lsn", "restart_tli").Row("physical", "0/1000", "1").Completes("READ_REPLICATION_SLOT").IsReady()
            .Describes("filename", "content").Row("00000002.history", "1\t0/1000\tno recovery target specified\n").Completes("TIMELINE_HISTORY").IsReady();
        Fuzz("a slot's or a history's answer", [scripted.Script], async (connection, _) =>
        {
            if (connection.ServerMajorVersion >= 15)
            {
                await connection.ReadReplicationSlotAsync("nlds", CancellationToken.None);
            }

            await connection.TimelineHistoryAsync(2, CancellationToken.None);
        });
    }

    [Fact]
    public void Authentication_of_every_kind()
    {
        var salt = Convert.ToBase64String(new byte[16]);
        using var scram = new ScriptedServer().Says('R', Int32(10), CString("SCRAM-SHA-256"), [0]).Says('R', Int32(11), Encoding.ASCII.GetBytes($"r=nonce,s={salt},i=1"))
            .Says('R', Int32(12), "v=AAAA"u8.ToArray()).Says('R', Int32(0)).IsReady();
        using var md5 = new ScriptedServer().Says('R', Int32(5), [1, 2, 3, 4]).Welcomes();
        using var clear = new ScriptedServer().Says('R', Int32(3)).Welcomes();
        Fuzz("authentication", [scram.Script, md5.Script, clear.Script], (_, _) => Task.CompletedTask);
    }

    [Fact]
    public void Streams_of_write_ahead_log()
    {
        using var stream = new ScriptedServer().Welcomes().Says('W', CopyBoth)
            .CopyData([(byte)'w'], Int64(0x1000), Int64(0x9000), Int64(1_000_000), "wal"u8.ToArray())
            .CopyData([(byte)'k'], Int64(0x9000), Int64(2_000_000), [1])
            .Says('c').Describes("next_tli", "next_tli_startpos").Row("2", "0/10C00240").Completes("START_STREAMING").Completes("START_REPLICATION").IsReady();
        using var stopped = new ScriptedServer().Welcomes().Says('W', CopyBoth).CopyData([(byte)'k'], Int64(0x9000), Int64(2_000_000), [0]).Completes("COPY 0");
        Fuzz("a WAL stream", [stream.Script, stopped.Script], async (connection, _) =>
        {
            var wal = await connection.StartReplicationAsync("nlds", new Lsn(0x1000), 1, CancellationToken.None);
            for (var events = 0; events < MostEvents; events++)
            {
                var message = await wal.ReadAsync(CancellationToken.None);
                if (message.Kind is WalMessageKind.EndOfTimeline or WalMessageKind.ServerShutdown)
                {
                    return;
                }

                message.End.Value.ShouldBeGreaterThanOrEqualTo(message.Start.Value);
            }
        });
    }

    [Fact]
    public void Base_backups()
    {
        Fuzz("a base backup of version 15", [BackupScript("15.18").Script], ReadBackupAsync);
        Fuzz("a base backup of version 14", [BackupScript("14.2").Script], ReadBackupAsync);
    }

    private static ScriptedServer BackupScript(string version)
    {
        var script = new ScriptedServer().Welcomes(version)
            .Describes("recptr", "tli").Row("0/2000028", "1").Completes("SELECT")
            .Describes("spcoid", "spclocation", "size").Row("16385", "/elsewhere", "3").Row(null, null, "5").Completes("SELECT");
        return (version.StartsWith("14", StringComparison.Ordinal)
                ? script.Says('H', CopyBoth).CopyData("tar"u8.ToArray()).Says('c').Says('H', CopyBoth).CopyData("tar"u8.ToArray()).Says('c').Says('H', CopyBoth).CopyData("{}"u8.ToArray()).Says('c')
                : script.Says('H', CopyBoth).CopyData([(byte)'n'], CString("base.tar"), CString("")).CopyData([(byte)'d'], "tar"u8.ToArray()).CopyData([(byte)'p'], Int64(3))
                    .CopyData([(byte)'m']).CopyData([(byte)'d'], "{}"u8.ToArray()).Says('c'))
            .Describes("recptr", "tli").Row("0/2000100", "1").Completes("SELECT").Completes("BASE_BACKUP").IsReady();
    }

    private static async Task ReadBackupAsync(ReplicationConnection connection, FuzzInput input)
    {
        var backup = await connection.BaseBackupAsync(new BaseBackupOptions { Label = "nlds" }, CancellationToken.None);
        for (var events = 0; events < MostEvents; events++)
        {
            if ((await backup.ReadAsync(CancellationToken.None)).Kind == BaseBackupEventKind.End)
            {
                return;
            }
        }
    }

    private static void Fuzz(string what, IReadOnlyList<byte[]> samples, Func<ReplicationConnection, FuzzInput, Task> talk)
    {
        var mutator = new ByteMutator(samples, Words);
        new Fuzzer(
            what,
            mutator.Next,
            input => TalkAsync(input, talk).GetAwaiter().GetResult(),
            PostgresFailure.IsExpected).Run(500);
    }

    private static async Task TalkAsync(FuzzInput input, Func<ReplicationConnection, FuzzInput, Task> talk)
    {
        var settings = new ConnectionSettings { Host = "hostile", Username = "backup", Password = "secret", OnNotice = _ => { } };
        await using var connection = await ReplicationConnection.StartAsync(settings, new Transport(input.Open(), IsPrivate: true, ServerCertificate: null), CancellationToken.None);
        await talk(connection, input);
    }

    /// <summary>What a real server says.</summary>
    private async Task<byte[]> RecordAsync(Func<ReplicationConnection, Task> talk)
    {
        var server = fixture.Server;
        var plain = await Transport.ConnectAsync(server.SettingsFor(), TestContext.Current.CancellationToken);
        await using var recording = new RecordingStream(plain.Stream);
        await using (var connection = await ReplicationConnection.StartAsync(server.SettingsFor(), plain with { Stream = recording }, TestContext.Current.CancellationToken))
        {
            await talk(connection);
        }

        return recording.Heard;
    }
}
