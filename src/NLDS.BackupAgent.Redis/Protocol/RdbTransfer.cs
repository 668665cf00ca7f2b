using System.Globalization;
using System.Text;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>
/// The copy that follows FULLRESYNC, as bytes without its framing. From a disk it comes with its length (<c>$123\r\n</c>, no end mark); diskless it comes between a
/// mark of 40 random bytes (<c>$EOF:mark\r\n</c>) and the same mark again, which may be split over reads in any way.
/// </summary>
internal sealed class RdbTransfer
{
    private const int MarkBytes = 40;

    private readonly RespReader reader;
    private readonly byte[]? mark;

    /// <summary>The last bytes that came, which may be the beginning of the mark, and behind them those of the next read.</summary>
    private byte[] window = [];
    private int heldBytes;
    private long left;
    private bool ended;

    private RdbTransfer(RespReader reader, long? length, byte[]? mark)
    {
        this.reader = reader;
        this.mark = mark;
        Length = length;
        left = length ?? 0;
    }

    /// <summary>Unknown when the server sends without a disk.</summary>
    public long? Length { get; }

    public static async Task<RdbTransfer> BeginAsync(RespReader reader, CancellationToken cancellationToken)
    {
        var line = await reader.ReadLineAfterNewlinesAsync(cancellationToken);
        if (line.StartsWith("$EOF:", StringComparison.Ordinal) && line.Length == 5 + MarkBytes)
        {
            return new RdbTransfer(reader, null, Encoding.ASCII.GetBytes(line[5..]));
        }

        if (line[0] == '$' && long.TryParse(line.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var length))
        {
            return new RdbTransfer(reader, length, null);
        }

        throw line[0] == '-'
            ? new RedisErrorException("PSYNC", line[1..])
            : new ProtocolException($"The server began its copy with '{(line.Length > 60 ? line[..60] : line)}'.");
    }

    /// <summary>Hands out the copy's bytes until its end.</summary>
    /// <param name="take">Told each stretch, valid only for the call.</param>
    /// <param name="isWhole">Whether the bytes so far are a whole file; a mark that appears before that is data.</param>
    public async Task ReadAsync(Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> take, Func<bool> isWhole, CancellationToken cancellationToken)
    {
        while (!ended && (mark is not null || left > 0))
        {
            var some = await reader.ReadSomeAsync(cancellationToken);
            if (some.IsEmpty)
            {
                throw new ConnectionLostException("The server closed the connection in the middle of its copy. Its log says why; a full disk and a failed fork are the usual reasons.");
            }

            if (mark is null)
            {
                var count = (int)Math.Min(left, some.Length);
                reader.Unread(some.Length - count);
                left -= count;
                await take(some[..count], cancellationToken);
            }
            else
            {
                await TakeUntilMarkAsync(some, take, isWhole, cancellationToken);
            }
        }
    }

    private async Task TakeUntilMarkAsync(
        ReadOnlyMemory<byte> some, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> take, Func<bool> isWhole, CancellationToken cancellationToken)
    {
        if (window.Length < heldBytes + some.Length)
        {
            Array.Resize(ref window, heldBytes + some.Length);
        }

        some.CopyTo(window.AsMemory(heldBytes));
        var bytes = window.AsMemory(0, heldBytes + some.Length);
        while (bytes.Span.IndexOf(mark) is >= 0 and var found)
        {
            await take(bytes[..found], cancellationToken);
            bytes = bytes[found..];
            if (isWhole())
            {
                ended = true;
                reader.Unread(bytes.Length - MarkBytes);
                return;
            }

            // Data that looks like the mark; the true one may begin inside it.
            await take(bytes[..1], cancellationToken);
            bytes = bytes[1..];
        }

        heldBytes = Math.Min(bytes.Length, MarkBytes - 1);
        await take(bytes[..^heldBytes], cancellationToken);
        bytes[^heldBytes..].CopyTo(window);
    }
}
