using System.Text;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Tests.Protocol;

public sealed class RdbTransferTests
{
    private const string Mark = "ab1cd2ef3ab1cd2ef3ab1cd2ef3ab1cd2ef3ab1c";

    [Fact]
    public async Task A_diskless_copy_ends_at_its_mark_however_that_is_split_over_reads()
    {
        // The data ends like the mark begins, and holds most of one.
        var data = Encoding.ASCII.GetBytes("REDIS " + Mark[..39] + "x" + Mark[..20] + Mark[..9]);
        var sent = Encoding.ASCII.GetBytes("\n\n$EOF:" + Mark + "\r\n").Concat(data).Concat(Encoding.ASCII.GetBytes(Mark + "*1\r\n$4\r\nPING\r\n")).ToArray();
        for (var size = 1; size <= 60; size++)
        {
            var (copy, rest) = await ReadAsync(sent, size, data.Length);
            copy.ShouldBe(data, $"reads of {size} bytes");
            rest.ShouldBe("*1\r\n$4\r\nPING\r\n", $"reads of {size} bytes");
        }
    }

    [Fact]
    public async Task A_mark_inside_the_data_is_data()
    {
        // A server uses the same mark for every copy, so somebody may have stored it.
        var data = Encoding.ASCII.GetBytes("REDIS " + Mark + " and on");
        var sent = Encoding.ASCII.GetBytes("$EOF:" + Mark + "\r\n").Concat(data).Concat(Encoding.ASCII.GetBytes(Mark)).ToArray();
        foreach (var size in new[] { 1, 17, 40, 1000 })
        {
            (await ReadAsync(sent, size, data.Length)).Copy.ShouldBe(data, $"reads of {size} bytes");
        }
    }

    [Fact]
    public async Task A_copy_from_disk_ends_at_its_length_and_the_stream_follows()
    {
        var sent = Encoding.ASCII.GetBytes("\n$9\r\nREDIS0010*1\r\n$4\r\nPING\r\n");
        foreach (var size in new[] { 1, 5, 1000 })
        {
            var (copy, rest) = await ReadAsync(sent, size, 9);
            (Encoding.ASCII.GetString(copy), rest).ShouldBe(("REDIS0010", "*1\r\n$4\r\nPING\r\n"));
        }
    }

    [Theory]
    [InlineData("$EOF:" + Mark + "\r\nREDIS")]
    [InlineData("$100\r\nREDIS")]
    [InlineData("\n\n")]
    public async Task A_connection_that_ends_in_the_middle_is_lost(string sent) =>
        await Should.ThrowAsync<ConnectionLostException>(() => ReadAsync(Encoding.ASCII.GetBytes(sent), 1000, 10));

    [Theory]
    [InlineData("$EOF:short\r\n")]
    [InlineData("+OK\r\n")]
    [InlineData("$-1\r\n")]
    public async Task What_is_no_copy_is_refused(string sent) =>
        await Should.ThrowAsync<ProtocolException>(() => ReadAsync(Encoding.ASCII.GetBytes(sent), 1000, 10));

    private static async Task<(byte[] Copy, string Behind)> ReadAsync(byte[] sent, int readSize, int whole)
    {
        var reader = new RespReader(new SlowStream(sent, readSize), TimeProvider.System);
        var transfer = await RdbTransfer.BeginAsync(reader, CancellationToken.None);
        var copy = new MemoryStream();
        await transfer.ReadAsync(
            (bytes, _) =>
            {
                copy.Write(bytes.Span);
                return ValueTask.CompletedTask;
            },
            () => copy.Length == whole,
            CancellationToken.None);
        var rest = new MemoryStream();
        while (await reader.ReadSomeAsync(CancellationToken.None) is { IsEmpty: false } some)
        {
            rest.Write(some.Span);
        }

        return (copy.ToArray(), Encoding.ASCII.GetString(rest.ToArray()));
    }

    /// <summary>Gives a few bytes at a time, as a network may.</summary>
    private sealed class SlowStream(byte[] bytes, int readSize) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(readSize, buffer.Length)], cancellationToken);
    }
}
