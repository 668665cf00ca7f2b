using System.Globalization;
using System.Text;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Testing.Fuzzing;

namespace NLDS.BackupAgent.Redis.Tests.Fuzzing;

/// <summary>A server, or what poses as one, that says anything at all: it is understood or refused, and a refusal is one that the source knows how to explain.</summary>
public sealed class WireFuzzTests
{
    private const string Id = "0123456789abcdef0123456789abcdef01234567";

    private static readonly byte[][] Words =
        [.. new[] { "*1\r\n", "$536870912\r\n", "*1048576\r\n", "$-1\r\n", ":1\r\n", "+", "-ERR ", "\r\n", "\n", "$EOF:" + Id + "\r\n", "+CONTINUE " + Id + "\r\n", "db0:keys=", "db00:keys=1" }.Select(Encoding.ASCII.GetBytes)];

    [Fact]
    public void Answers_and_lines() => Fuzz(
        "an answer",
        input =>
        {
            var reader = new RespReader(input.Open(), TimeProvider.System);
            for (var answers = 0; answers < 100_000; answers++)
            {
                Await(reader.ReadReplyAsync("TEST", CancellationToken.None));
            }
        },
        "+OK\r\n:-12\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n$1\r\nx\r\n:1\r\n*-1\r\n",
        "*2\r\n*2\r\n+a\r\n-ERR x\r\n$3\r\nabc\r\n",
        "-NOPERM this user has no permissions\r\n");

    [Fact]
    public void The_handshake_of_a_replica() => Fuzz(
        "PSYNC's answer",
        input =>
        {
            var reader = new RespReader(input.Open(), TimeProvider.System);
            var from = (input.Seed & 1) == 0 ? new StreamPosition(Id, 17) : (StreamPosition?)null;
            var start = Replication.Parse(Await(reader.ReadLineAfterNewlinesAsync(CancellationToken.None)), from);
            Replication.IsId(start.Position.ReplicationId).ShouldBeTrue();
            if (start.IsFull)
            {
                ReadCopy(reader);
            }
        },
        $"+FULLRESYNC {Id} 1234\r\n\n\n$23\r\nREDIS0010abcdefghijklmn",
        $"+FULLRESYNC {Id} 18446744073709551615\r\n$EOF:{Id}\r\nREDIS0010\u00fa\u00ff00000000{Id}",
        $"+CONTINUE {Id}\r\n",
        "+CONTINUE\r\n",
        "-NOMASTERLINK Can't SYNC while not connected\r\n");

    [Fact]
    public async Task A_copy_that_comes_without_its_length()
    {
        var file = await Rdb.RdbScannerTests.Recorded;
        var mutator = new ByteMutator([[.. Encoding.ASCII.GetBytes($"$EOF:{Id}\r\n"), .. file[..3000], .. Encoding.ASCII.GetBytes(Id)], [.. Encoding.ASCII.GetBytes("$3000\r\n"), .. file[..3000]]], Words);
        new Fuzzer("a copy", mutator.Next, input => ReadCopy(new RespReader(input.Open(), TimeProvider.System)), IsRefusal).Run(400);
    }

    [Fact]
    public void What_a_server_tells_of_itself() => Fuzz(
        "INFO",
        input =>
        {
            var info = ServerInfo.Parse(input.Text);
            info.Databases.Count.ShouldBeGreaterThanOrEqualTo(0);
            info.Number("master_repl_offset");
            if (info.Primary is { } primary)
            {
                primary.Port.ShouldBeInRange(0, ushort.MaxValue);
            }
        },
        "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb7:keys=1,expires=0,avg_ttl=0\r\n");

    private static void ReadCopy(RespReader reader)
    {
        var scanner = new RdbScanner();
        var transfer = Await(RdbTransfer.BeginAsync(reader, CancellationToken.None));
        Await(CopyAsync());

        async Task<int> CopyAsync()
        {
            await transfer.ReadAsync(
                (bytes, _) =>
                {
                    scanner.Feed(bytes.Span);
                    return ValueTask.CompletedTask;
                },
                () => scanner.IsComplete,
                CancellationToken.None);
            return 0;
        }
    }

    private static T Await<T>(Task<T> task) => task.GetAwaiter().GetResult();

    private static bool IsRefusal(Exception refusal) => RedisFailure.IsExpected(refusal) || refusal is InvalidDataException;

    private static void Fuzz(string what, Action<FuzzInput> parse, params string[] samples)
    {
        var mutator = new ByteMutator([.. samples.Select(Encoding.Latin1.GetBytes)], Words);
        new Fuzzer(what, mutator.Next, parse, IsRefusal).Run(700);
    }
}
