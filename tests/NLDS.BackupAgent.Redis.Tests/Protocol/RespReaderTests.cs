using System.Text;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Tests.Protocol;

public sealed class RespReaderTests
{
    [Fact]
    public async Task Answers_of_every_kind_are_read()
    {
        var reader = Reader("+OK\r\n:-12\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n$1\r\nx\r\n:1\r\n*-1\r\n");

        (await NextAsync(reader)).Text.ShouldBe("OK");
        (await NextAsync(reader)).Integer.ShouldBe(-12);
        (await NextAsync(reader)).Text.ShouldBe("a\r\nbc");
        (await NextAsync(reader)).Bytes.ShouldBeNull();
        (await NextAsync(reader)).Items!.Select(item => item.Text).ShouldBe(["x", "1"]);
        (await NextAsync(reader)).Items.ShouldBeNull();
    }

    [Fact]
    public async Task An_error_is_an_exception_with_its_code()
    {
        var error = await Should.ThrowAsync<RedisErrorException>(() => NextAsync(Reader("-NOPERM this user has no permissions\r\n")));

        (error.Code, error.Command).ShouldBe(("NOPERM", "TEST"));
    }

    [Fact]
    public async Task Behind_an_error_in_the_middle_of_an_answer_the_next_answer_is_read()
    {
        var reader = Reader("*3\r\n+OK\r\n-WRONGTYPE of the second\r\n:3\r\n+NEXT\r\n");

        (await Should.ThrowAsync<RedisErrorException>(() => NextAsync(reader))).Code.ShouldBe("WRONGTYPE");
        (await NextAsync(reader)).Text.ShouldBe("NEXT");
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("$99999999999\r\n")]
    [InlineData("*99999999\r\n")]
    [InlineData("$x\r\n")]
    [InlineData("$1\r\nabc\r\n")]
    [InlineData("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")]
    public async Task What_is_not_RESP_or_too_much_is_refused(string sent) => await Should.ThrowAsync<ProtocolException>(() => NextAsync(Reader(sent)));

    [Fact]
    public async Task A_line_without_end_is_refused_before_it_fills_the_memory() =>
        await Should.ThrowAsync<ProtocolException>(() => NextAsync(Reader("+" + new string('x', 1 << 20))));

    [Theory]
    [InlineData("")]
    [InlineData("$5\r\nab")]
    [InlineData("*2\r\n:1\r\n")]
    public async Task An_answer_that_breaks_off_is_a_lost_connection(string sent) => await Should.ThrowAsync<ConnectionLostException>(() => NextAsync(Reader(sent)));

    [Theory]
    [InlineData("+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 42", true, 42)]
    [InlineData("+CONTINUE", false, 7)]
    [InlineData("+CONTINUE ffffffffffffffffffffffffffffffffffffffff", false, 7)]
    public void PSYNC_says_where_the_stream_goes_on(string line, bool isFull, int offset)
    {
        var start = Replication.Parse(line, new StreamPosition(new string('a', 40), 7));

        (start.IsFull, start.Position.Offset).ShouldBe((isFull, (ulong)offset));
        start.Position.ReplicationId.ShouldBe(line.Split(' ') is [_, var id, ..] ? id : new string('a', 40));
    }

    [Theory]
    [InlineData("+FULLRESYNC ../../../etc/passwd 42")]
    [InlineData("+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 -1")]
    [InlineData("+CONTINUE ../..")]
    [InlineData("+OK")]
    public void An_answer_that_PSYNC_does_not_have_is_refused(string line) =>
        Should.Throw<ProtocolException>(() => Replication.Parse(line, new StreamPosition(new string('a', 40), 7)));

    private static RespReader Reader(string sent) => new(new MemoryStream(Encoding.UTF8.GetBytes(sent)), TimeProvider.System);

    private static Task<RespReply> NextAsync(RespReader reader) => reader.ReadReplyAsync("TEST", CancellationToken.None);
}
