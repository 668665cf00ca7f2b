using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>A key of one of the checked databases.</summary>
internal readonly record struct Key(int Database, string Name)
{
    public override string ToString() => $"{Database}/{Name}";
}

/// <param name="Value">The server's own digest of the value, which does not depend on its encoding, and of a stream its groups.</param>
/// <param name="Expiry">Milliseconds since 1970; negative for none.</param>
internal readonly record struct Entry(string Value, long Expiry);

/// <summary>Everything that the checked databases hold at one moment. What the load writes lies in another database and is not looked at.</summary>
internal sealed record Content(ImmutableDictionary<Key, Entry> Keys, string Functions)
{
    /// <summary>DEBUG DIGEST-VALUE answers this for a key that is not there.</summary>
    private static readonly string Absent = new('0', 40);

    /// <summary>PEXPIRETIME answers this for a key that is not there.</summary>
    private const long NoKey = -2;

    public static readonly ImmutableArray<int> Databases = [0, 1, 5];

    /// <summary>All of it, read from a server in which nobody writes.</summary>
    public static async Task<Content> ReadAsync(RedisConnection connection)
    {
        var keys = new List<Key>();
        foreach (var database in Databases)
        {
            await connection.AskAsync(CancellationToken.None, "SELECT", Text(database));
            keys.AddRange((await connection.AskAsync(CancellationToken.None, "KEYS", "*")).Items!.Select(item => new Key(database, item.Text)));
        }

        var read = new Content(ImmutableDictionary<Key, Entry>.Empty, "");
        foreach (var some in keys.Chunk(500))
        {
            await connection.SendAsync(Encode(Questions(some)), CancellationToken.None);
            read = await read.WithAnswersAsync(connection, some);
        }

        var libraries = await connection.AskAsync(CancellationToken.None, "FUNCTION", "LIST", "WITHCODE");
        return read with { Functions = string.Join('\n', libraries.Items!.Select(Flat).Order(StringComparer.Ordinal)) };
    }

    /// <summary>The commands that ask for keys as they are; <see cref="WithAnswersAsync"/> reads the answers.</summary>
    public static IEnumerable<string[]> Questions(IEnumerable<Key> keys) => keys.SelectMany(key => new string[][]
    {
        ["SELECT", Text(key.Database)],
        ["DEBUG", "DIGEST-VALUE", key.Name],
        ["PEXPIRETIME", key.Name],
        ["XINFO", "GROUPS", key.Name],
    });

    public async Task<Content> WithAnswersAsync(RedisConnection connection, IEnumerable<Key> keys)
    {
        var changed = Keys.ToBuilder();
        foreach (var key in keys)
        {
            await connection.Reader.ReadReplyAsync("SELECT", CancellationToken.None);
            var digest = (await connection.Reader.ReadReplyAsync("DEBUG", CancellationToken.None)).Items![0].Text;
            var expiry = (await connection.Reader.ReadReplyAsync("PEXPIRETIME", CancellationToken.None)).Integer!.Value;
            var groups = string.Concat((await AnswerAsync(connection, "XINFO"))?.Items!.Select(Group) ?? []);

            // DEBUG finds a key whose time is over as long as nobody has removed it; PEXPIRETIME, as every command does, does not.
            if (digest == Absent || expiry == NoKey)
            {
                changed.Remove(key);
            }
            else
            {
                changed[key] = new Entry(digest + groups, expiry);
            }
        }

        return this with { Keys = changed.ToImmutable() };
    }

    public static byte[] Encode(IEnumerable<string[]> commands) => [.. commands.SelectMany(words => RespRequest.Encode(words))];

    /// <summary>The next answer; null when it is an error of the command, such as a wrong type.</summary>
    public static async Task<RespReply?> AnswerAsync(RedisConnection connection, string command)
    {
        try
        {
            return await connection.Reader.ReadReplyAsync(command, CancellationToken.None);
        }
        catch (RedisErrorException)
        {
            return null;
        }
    }

    /// <summary>What another content has otherwise; null when nothing. A key whose time was over before <paramref name="readUntil"/> may be gone.</summary>
    /// <param name="unknown">Keys about which nothing is known.</param>
    public string? DifferenceTo(Content other, long readUntil, IReadOnlySet<Key> unknown)
    {
        foreach (var key in Keys.Keys.Union(other.Keys.Keys).Where(key => !unknown.Contains(key)))
        {
            var (isHere, isThere) = (Keys.TryGetValue(key, out var here), other.Keys.TryGetValue(key, out var there));
            if (isHere && !isThere ? here.Expiry < 0 || here.Expiry > readUntil : here != there)
            {
                return $"{key} should be {(isHere ? here : "absent")} and is {(isThere ? there : "absent")}";
            }
        }

        return Functions == other.Functions ? null : $"the functions should be '{Functions}' and are '{other.Functions}'";
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Without entries-read and lag, its last two pairs: Redis counts them for show and does not replicate what XREADGROUP makes of them.</summary>
    private static string Group(RespReply group) => string.Concat(group.Items!.Take(8).Select(Flat));

    private static string Flat(RespReply reply)
    {
        var text = new StringBuilder();
        Flatten(reply, text);
        return text.ToString();
    }

    private static void Flatten(RespReply reply, StringBuilder text)
    {
        text.Append('|').Append(reply.Text);
        foreach (var item in reply.Items ?? [])
        {
            Flatten(item, text);
        }
    }
}
