using System.Globalization;

namespace NLDS.BackupAgent.Torture.Redis;

/// <summary>Commands that are sent together, and the keys that they may change.</summary>
/// <param name="Touched">Null when it may be any.</param>
internal sealed record Operation(IReadOnlyList<string[]> Commands, IReadOnlySet<Key>? Touched)
{
    public bool ChangesFunctions { get; private init; }

    private const string Script =
        "redis.call('SET', KEYS[1], ARGV[1]) redis.call('RPUSH', KEYS[2], ARGV[1], redis.call('INCR', KEYS[3])) if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end return 1";

    /// <summary>One of every kind of write that Redis has, in some database, on few enough keys that they meet.</summary>
    public static Operation Random(Random random)
    {
        var database = Content.Databases[random.Next(Content.Databases.Length)];
        var kind = random.Next(100);
        return kind switch
        {
            < 60 => On(database, Simple(random)),
            < 72 => Transaction(random, database),
            < 82 => On(database, Scripted(random)),
            < 86 => new Operation([["FUNCTION", "LOAD", "REPLACE", Library(random.Next(3), random.Next(1000))]], new HashSet<Key>()) { ChangesFunctions = true },
            < 96 => On(database, ["FCALL", $"append{random.Next(3)}", "1", $"string:{Few(random)}", Word(random)]),
            < 98 => new Operation([["SELECT", Text(database)], [random.Next(2) == 0 ? "FLUSHDB" : "PING"]], null),
            < 99 => new Operation([["SWAPDB", "1", "5"]], null),
            _ => On(database, ["SET", $"string:{Few(random)}", new string('x', random.Next(300_000))]),
        };
    }

    private static Operation On(int database, string[] command) => new(
        [["SELECT", Text(database)], command],
        new HashSet<Key>(command.Skip(1).Where(word => word.Contains(':', StringComparison.Ordinal)).Select(word => new Key(database, word))));

    /// <summary>Several commands, some in another database, as one.</summary>
    private static Operation Transaction(Random random, int database)
    {
        var other = Content.Databases[random.Next(Content.Databases.Length)];
        List<Operation> parts = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(i => On(i % 2 == 0 ? database : other, Simple(random)))];
        return new Operation([["MULTI"], .. parts.SelectMany(part => part.Commands), ["EXEC"]], parts.SelectMany(part => part.Touched!).ToHashSet());
    }

    /// <summary>By its text, or by its hash, which a server that was restarted has forgotten: then nothing happens.</summary>
    private static string[] Scripted(Random random)
    {
        string[] arguments = ["3", $"string:{Few(random)}", $"list:{Few(random)}", $"number:{Few(random)}", Word(random), Text(random.Next(2))];
        return random.Next(2) == 0 ? ["EVAL", Script, .. arguments] : ["EVALSHA", Hash, .. arguments];
    }

#pragma warning disable CA5350 // It is Redis's name for a script, and protects nothing.
    private static string Hash { get; } = Convert.ToHexStringLower(System.Security.Cryptography.SHA1.HashData(System.Text.Encoding.ASCII.GetBytes(Script)));
#pragma warning restore CA5350

    private static string Library(int number, int version) =>
        $"#!lua name=library{number}\nredis.register_function('append{number}', function(keys, args) redis.call('APPEND', keys[1], args[1]) return redis.call('APPEND', keys[1], '{version}') end)";

    private static string[] Simple(Random random)
    {
        string Of(string type) => $"{type}:{Few(random)}";
        var word = Word(random);
        var count = Text(random.Next(1, 4));
        return random.Next(44) switch
        {
            0 => ["SET", Of("string"), word],
            1 => ["APPEND", Of("string"), word],
            2 => ["SETRANGE", Of("string"), count, word],
            3 => ["SETBIT", Of("string"), Text(random.Next(500)), "1"],
            4 => ["SET", Of("lasting"), word, "PX", Text(100_000_000 + random.Next(1000))],
            5 => ["SET", Of("short"), word, "PX", Text(random.Next(200, 4000))],
            6 => ["INCRBY", Of("number"), count],
            7 => ["INCRBYFLOAT", Of("float"), "1.125"],
            8 => ["EXPIRE", Of("hash"), Text(90_000 + random.Next(1000))],
            9 => ["PERSIST", Of("hash")],
            10 => ["GETDEL", Of("string")],
            11 => ["RPUSH", Of("list"), word, word + "2"],
            12 => ["LPUSH", Of("list"), word],
            13 => ["LPOP", Of("list"), count],
            14 => ["LTRIM", Of("list"), "0", "200"],
            15 => ["LMOVE", Of("list"), Of("list"), "LEFT", "RIGHT"],
            16 => ["LSET", Of("list"), "0", word],
            17 => ["SADD", Of("set"), word, count],
            18 => ["SREM", Of("set"), count],
            19 => ["SPOP", Of("set"), count],
            20 => ["SUNIONSTORE", Of("set"), Of("set"), Of("integers")],
            21 => ["SADD", Of("integers"), count, Text(random.Next(100_000))],
            22 => ["SMOVE", Of("set"), Of("set"), count],
            23 => ["ZADD", Of("sorted"), Text(random.Next(100)) + ".5", word],
            24 => ["ZINCRBY", Of("sorted"), "1.25", count],
            25 => ["ZPOPMIN", Of("sorted")],
            26 => ["ZUNIONSTORE", Of("sorted"), "2", Of("sorted"), Of("set")],
            27 => ["ZREMRANGEBYRANK", Of("sorted"), "100", "-1"],
            28 => ["HSET", Of("hash"), word, count, "field", word],
            29 => ["HDEL", Of("hash"), "field"],
            30 => ["HINCRBYFLOAT", Of("hash"), "number", "0.5"],
            31 => ["XADD", Of("stream"), "*", "field", word],
            32 => ["XADD", Of("stream"), "MAXLEN", "~", "50", "*", "field", word, "other", count],
            33 => ["XGROUP", "CREATE", Of("stream"), "group", "0", "MKSTREAM"],
            34 => ["XREADGROUP", "GROUP", "group", "reader", "COUNT", count, "STREAMS", Of("stream"), ">"],
            35 => ["XTRIM", Of("stream"), "MAXLEN", "20"],
            36 => ["PFADD", Of("loglog"), word, count],
            37 => ["PFMERGE", Of("loglog"), Of("loglog")],
            38 => ["GEOADD", Of("geo"), "13.36" + count, "38.11" + count, word],
            39 => ["BITOP", "XOR", Of("string"), Of("string"), Of("string")],
            40 => ["COPY", Of("list"), Of("copy"), "REPLACE"],
            41 => ["RENAME", Of("copy"), Of("renamed")],
            42 => ["DEL", Of("set"), Of("stream")],
            _ => ["UNLINK", Of("sorted"), Of("hash")],
        };
    }

    private static int Few(Random random) => random.Next(8);

    private static string Word(Random random) => $"w{random.Next(200)}{new string('y', random.Next(10) == 0 ? random.Next(300) : 0)}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
