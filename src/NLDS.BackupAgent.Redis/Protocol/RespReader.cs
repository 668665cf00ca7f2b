using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>
/// Reads what a server sends: answers, lines, and raw bytes behind them, over one buffer, so that what came together with an answer is not lost. Lengths come
/// from the other side and are bounded before anything is allocated for them.
/// </summary>
internal sealed class RespReader(Stream source, TimeProvider clock)
{
    private const int BufferBytes = 128 << 10;

    /// <summary>Status lines and errors are short; INFO and the like come as bulk strings.</summary>
    private const int LongestLine = 64 << 10;

    /// <summary>More than any answer that is asked for: the dump of one key is bounded by Redis itself at 512 MiB.</summary>
    private const int LongestBulk = 512 << 20;

    private const int MostItems = 1 << 20;
    private const int DeepestNesting = 8;

    private readonly byte[] buffer = new byte[BufferBytes];
    private int start;
    private int end;

    private long waitingSince;
    private int waiting;

    /// <summary>True while nothing has come that was asked for.</summary>
    public bool IsWaiting => Volatile.Read(ref waiting) != 0;

    /// <summary>The moment, as a timestamp of the clock, since when.</summary>
    public long WaitingSince => Volatile.Read(ref waitingSince);

    /// <summary>Bytes that came and were not asked for yet.</summary>
    public ReadOnlyMemory<byte> Buffered => buffer.AsMemory(start, end - start);

    /// <exception cref="RedisErrorException">The answer is an error.</exception>
    public Task<RespReply> ReadReplyAsync(string command, CancellationToken cancellationToken) => ReadReplyAsync(command, 0, cancellationToken);

    /// <summary>A line without its end. What comes before PSYNC's answer and before a transfer may be newlines that only say "I am alive": they are passed over.</summary>
    public async Task<string> ReadLineAfterNewlinesAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var line = await ReadLineAsync(cancellationToken);
            if (line.Length > 0)
            {
                return line;
            }
        }
    }

    /// <summary>The next bytes, as many as are there and at least one; valid until the next call. Empty when the connection was closed.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadSomeAsync(CancellationToken cancellationToken)
    {
        if (start == end && !await FillAsync(cancellationToken))
        {
            return default;
        }

        var some = Buffered;
        start = end;
        return some;
    }

    /// <summary>Gives back the last <paramref name="count"/> bytes of what <see cref="ReadSomeAsync"/> returned.</summary>
    public void Unread(int count) => start -= count;

    private async Task<RespReply> ReadReplyAsync(string command, int depth, CancellationToken cancellationToken)
    {
        var line = await ReadLineAfterNewlinesAsync(cancellationToken);
        var rest = line[1..];
        switch (line[0])
        {
            case '+':
                return new RespReply { Bytes = Encoding.UTF8.GetBytes(rest) };
            case '-':
                throw new RedisErrorException(command, rest);
            case ':':
                return new RespReply { Integer = Number(rest, long.MaxValue) };
            case '$':
                return Number(rest, LongestBulk) is >= 0 and var length ? new RespReply { Bytes = await ReadBulkAsync((int)length, cancellationToken) } : RespReply.Null;
            case '*':
                if (depth >= DeepestNesting)
                {
                    throw new ProtocolException($"The answer to {command} is nested deeper than any of Redis's.");
                }

                var count = Number(rest, MostItems);
                return count < 0 ? RespReply.Null : new RespReply { Items = await ReadItemsAsync(command, count, depth + 1, cancellationToken) };
            default:
                throw new ProtocolException($"The answer to {command} is not RESP. Check that a Redis server answers at this address, and whether it wants TLS.");
        }
    }

    /// <summary>An error among them, as EXEC answers, is thrown when all have been read: the connection stays in step.</summary>
    private async Task<List<RespReply>> ReadItemsAsync(string command, long count, int depth, CancellationToken cancellationToken)
    {
        var items = new List<RespReply>();
        RedisErrorException? error = null;
        for (var i = 0; i < count; i++)
        {
            try
            {
                items.Add(await ReadReplyAsync(command, depth, cancellationToken));
            }
            catch (RedisErrorException one)
            {
                error ??= one;
            }
        }

        return error is null ? items : throw error;
    }

    private async Task<byte[]> ReadBulkAsync(int length, CancellationToken cancellationToken)
    {
        // A length is only a claim: room is made as the bytes come.
        var bulk = new byte[Math.Min(length, BufferBytes)];
        for (var filled = 0; filled < length;)
        {
            if (filled == bulk.Length)
            {
                Array.Resize(ref bulk, Math.Min(length, 2 * bulk.Length));
            }

            if (start == end && !await FillAsync(cancellationToken))
            {
                throw Closed();
            }

            var count = Math.Min(end - start, bulk.Length - filled);
            buffer.AsSpan(start, count).CopyTo(bulk.AsSpan(filled));
            start += count;
            filled += count;
        }

        return await ReadLineAsync(cancellationToken) is ""
            ? bulk
            : throw new ProtocolException("A bulk string does not end where it said.");
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new List<byte>();
        while (true)
        {
            if (start == end && !await FillAsync(cancellationToken))
            {
                throw Closed();
            }

            var newline = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            var count = newline < 0 ? end - start : newline;
            line.AddRange(buffer.AsSpan(start, count));
            start += newline < 0 ? count : count + 1;
            if (line.Count > LongestLine)
            {
                throw new ProtocolException($"The server sent a line of more than {LongestLine} bytes where a short answer was due.");
            }

            if (newline >= 0)
            {
                var text = Encoding.UTF8.GetString([.. line]);
                return text.EndsWith('\r') ? text[..^1] : text;
            }
        }
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        start = end = 0;
        Volatile.Write(ref waitingSince, clock.GetTimestamp());
        Volatile.Write(ref waiting, 1);
        try
        {
            end = await source.ReadAsync(buffer, cancellationToken);
            return end > 0;
        }
        catch (IOException problem)
        {
            throw new ConnectionLostException($"The connection broke: {problem.Message}", problem);
        }
        finally
        {
            Volatile.Write(ref waiting, 0);
        }
    }

    private static ConnectionLostException Closed() => new("The server closed the connection.");

    private static long Number(string text, long most) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number <= most && number >= -most
            ? number
            : throw new ProtocolException($"The server sent '{(text.Length > 40 ? text[..40] : text)}' where a number of at most {most} was due.");
}
