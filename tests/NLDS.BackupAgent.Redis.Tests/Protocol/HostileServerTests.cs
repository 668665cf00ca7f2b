using System.Text;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Redis.Rdb;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Redis.Tests.Protocol;

/// <summary>What fuzzing found that a hostile or broken server could do, each by the smallest words that did it.</summary>
public sealed class HostileServerTests
{
    [Fact]
    public async Task The_length_of_an_answer_is_a_claim_until_its_bytes_are_there()
    {
        // 512 MB were taken for 12 bytes.
        var reader = new RespReader(new MemoryStream("$536870912\r\n"u8.ToArray()), TimeProvider.System);
        var answer = Task.CompletedTask;

        Allocations.OfEnded(() => answer = reader.ReadReplyAsync("TEST", CancellationToken.None)).ShouldBeLessThan(1 << 20);

        await Should.ThrowAsync<ConnectionLostException>(() => answer);
    }

    [Fact]
    public async Task A_long_answer_arrives_whole()
    {
        var text = new string('x', 1_000_003);
        var reader = new RespReader(new MemoryStream(Encoding.ASCII.GetBytes($"${text.Length}\r\n{text}\r\n+OK\r\n")), TimeProvider.System);

        (await reader.ReadReplyAsync("TEST", CancellationToken.None)).Text.ShouldBe(text);
        (await reader.ReadReplyAsync("TEST", CancellationToken.None)).Text.ShouldBe("OK");
    }

    [Theory]
    [InlineData("db0:keys=1\ndb00:keys=2\n", 1)]
    [InlineData("db0:keys=many\n", 0)]
    [InlineData("db0:keys=99999999999999999999\n", 0)]
    [InlineData("db 1:keys=1\ndb+2:keys=1\n", 0)]
    public void Databases_that_are_none_are_passed_over(string info, int databases) => ServerInfo.Parse(info).Databases.Count.ShouldBe(databases);

    [Theory]
    [InlineData("99999")]
    [InlineData("-1")]
    public void A_primary_at_no_port_is_no_primary(string port) => ServerInfo.Parse($"role:slave\nmaster_host:10.0.0.1\nmaster_port:{port}\n").Primary.ShouldBeNull();

    [Fact]
    public void A_copy_with_databases_without_end_is_refused_before_they_fill_the_memory()
    {
        var scanner = new RdbScanner();
        scanner.Feed("REDIS0011"u8);

        Should.Throw<InvalidDataException>(() =>
        {
            for (var database = 0; database < 100_000; database++)
            {
                scanner.Feed([0xfe, 0x80, 0, (byte)(database >> 16), (byte)(database >> 8), (byte)database, 0, 1, (byte)'k', 1, (byte)'v']);
            }
        }).Message.ShouldContain("databases");
    }
}
