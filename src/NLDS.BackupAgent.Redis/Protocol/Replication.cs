using System.Globalization;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>A place in a replication history: everything before the offset has been received.</summary>
/// <param name="ReplicationId">40 hexadecimal digits.</param>
/// <param name="Offset">Bytes of the stream before this place.</param>
internal readonly record struct StreamPosition(string ReplicationId, ulong Offset)
{
    public override string ToString() => $"{ReplicationId[..8]}…:{Offset}";
}

/// <summary>How the server answered PSYNC.</summary>
/// <param name="IsFull">A whole copy comes first; what the copy holds ends at <paramref name="Position"/>.</param>
/// <param name="Position">Where the stream begins or goes on; on a partial resynchronisation perhaps under a new replication id.</param>
internal sealed record SyncStart(bool IsFull, StreamPosition Position);

/// <summary>The side of a replica in Redis's replication: the handshake, PSYNC, and the acknowledgements.</summary>
internal static class Replication
{
    /// <summary>Says who we are to the server. One answer is read before the next request goes out: a server with unsent answers refuses PSYNC.</summary>
    /// <param name="onlySnapshot">Ask for the copy alone, without the stream behind it; servers before 6.2 do not know how.</param>
    public static async Task IntroduceAsync(RedisConnection connection, bool onlySnapshot, CancellationToken cancellationToken)
    {
        await connection.AskAsync(cancellationToken, "PING");

        // The port only names us in INFO. Nobody can connect there, so that a Sentinel that takes us for a replica never promotes us.
        await TryAsync(connection, cancellationToken, "REPLCONF", "listening-port", connection.LocalPort.ToString(CultureInfo.InvariantCulture));
        await connection.AskAsync(cancellationToken, "REPLCONF", "capa", "eof", "capa", "psync2");
        if (onlySnapshot)
        {
            await TryAsync(connection, cancellationToken, "REPLCONF", "rdb-only", "1");
        }
    }

    /// <summary>Asks to go on behind a place, or for everything.</summary>
    /// <param name="from">Everything before it is here already; null for a whole copy.</param>
    public static async Task<SyncStart> SynchroniseAsync(RedisConnection connection, StreamPosition? from, TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken)
    {
        var request = from is { } known
            ? RespRequest.Encode("PSYNC", known.ReplicationId, (known.Offset + 1).ToString(CultureInfo.InvariantCulture))
            : RespRequest.Encode("PSYNC", "?", "-1");
        using var limit = new CancellationTokenSource(patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await connection.SendAsync(request, either.Token);
            return Parse(await connection.Reader.ReadLineAfterNewlinesAsync(either.Token), from);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ConnectionLostException($"{connection.Address} has not begun to synchronise within {patience.TotalMinutes:F0} minutes.");
        }
    }

    /// <summary>What is received is told the server as offset; this must only ever be what is durable.</summary>
    public static byte[] Acknowledge(ulong offset) => RespRequest.Encode("REPLCONF", "ACK", offset.ToString(CultureInfo.InvariantCulture));

    internal static SyncStart Parse(string line, StreamPosition? from)
    {
        var words = line.Split(' ');
        switch (words[0])
        {
            case "+FULLRESYNC" when words.Length >= 3 && IsId(words[1]) && ulong.TryParse(words[2], CultureInfo.InvariantCulture, out var offset):
                return new SyncStart(IsFull: true, new StreamPosition(words[1], offset));
            case "+CONTINUE" when from is { } known && (words.Length < 2 || IsId(words[1])):
                return new SyncStart(IsFull: false, new StreamPosition(words.Length < 2 ? known.ReplicationId : words[1], known.Offset));
            default:
                throw line[0] == '-'
                    ? new RedisErrorException("PSYNC", line[1..])
                    : new ProtocolException($"The server answered PSYNC with '{(line.Length > 80 ? line[..80] : line)}'.");
        }
    }

    /// <summary>It becomes part of object names, so nothing else may pass.</summary>
    public static bool IsId(string text) => text.Length == 40 && text.All(c => c is (>= '0' and <= '9') or (>= 'a' and <= 'f'));

    private static async Task TryAsync(RedisConnection connection, CancellationToken cancellationToken, params IReadOnlyList<string> words)
    {
        try
        {
            await connection.AskAsync(cancellationToken, words);
        }
        catch (RedisErrorException refused) when (refused.Code == "ERR")
        {
            // An older server does not know the word and goes on without it.
        }
    }
}
