namespace NLDS.BackupAgent.Redis.Tests;

/// <summary>Something of everything that Redis keeps.</summary>
internal static class TestData
{
    private const string Library = "#!lua name=tests\nredis.register_function('twice', function(keys, args) redis.call('APPEND', keys[1], args[1]) return redis.call('APPEND', keys[1], args[1]) end)";

    /// <param name="tag">Makes the keys of one call different from those of another.</param>
    public static async Task WriteEverythingAsync(RedisClient client, string tag)
    {
        await client.DoAsync("SET", $"{tag}:text", "value");
        await client.DoAsync("SET", $"{tag}:number", "12345");
        await client.DoAsync("INCRBYFLOAT", $"{tag}:float", "1.5");
        await client.DoAsync("SET", $"{tag}:long", new string('x', 100_000));
        await client.DoAsync("SET", $"{tag}:expiring", "later", "EX", "100000");
        await client.DoAsync("SET", $"{tag}:kept", "v", "EX", "100000");
        await client.DoAsync("PERSIST", $"{tag}:kept");
        await client.DoAsync("SETBIT", $"{tag}:bits", "1000", "1");
        await client.DoAsync("PFADD", $"{tag}:hyperloglog", "a", "b", "c");
        await client.DoAsync(["RPUSH", $"{tag}:list", .. Enumerable.Range(0, 300).Select(i => $"element {i}")]);
        await client.DoAsync("LPOP", $"{tag}:list");
        await client.DoAsync("SADD", $"{tag}:intset", "1", "2", "300000");
        await client.DoAsync(["SADD", $"{tag}:set", .. Enumerable.Range(0, 600).Select(i => $"member {i}")]);
        await client.DoAsync("SPOP", $"{tag}:set", "3");
        await client.DoAsync("ZADD", $"{tag}:zset", "1", "a", "2.5", "b", "-inf", "c");
        await client.DoAsync(["ZADD", $"{tag}:bigzset", .. Enumerable.Range(0, 300).SelectMany(i => new[] { $"{i}.25", $"member {i}" })]);
        await client.DoAsync("HSET", $"{tag}:hash", "field", "value", "number", "7");
        await client.DoAsync(["HSET", $"{tag}:bighash", .. Enumerable.Range(0, 600).SelectMany(i => new[] { $"field {i}", $"value {i}" })]);
        await client.DoAsync("GEOADD", $"{tag}:geo", "13.361389", "38.115556", "Palermo");
        await client.DoAsync("XADD", $"{tag}:stream", "1-1", "name", "one");
        await client.DoAsync("XADD", $"{tag}:stream", "2-1", "name", "two");
        await client.DoAsync("XDEL", $"{tag}:stream", "1-1");
        await client.DoAsync("XGROUP", "CREATE", $"{tag}:stream", "group", "0");
        await client.DoAsync("XREADGROUP", "GROUP", "group", "consumer", "COUNT", "1", "STREAMS", $"{tag}:stream", ">");
        await client.DoAsync("EVAL", "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', KEYS[2]) return 1", "2", $"{tag}:script", $"{tag}:counter", "by script");
        await client.DoAsync("MULTI");
        await client.DoAsync("SET", $"{tag}:in-transaction", "1");
        await client.DoAsync("SELECT", "7");
        await client.DoAsync("SET", $"{tag}:other-database", "2");
        await client.DoAsync("EXEC");
        await client.DoAsync("SELECT", "0");
        await client.DoAsync("FUNCTION", "LOAD", "REPLACE", Library);
        await client.DoAsync("FCALL", "twice", "1", $"{tag}:function", "again ");
        await client.DoAsync("PUBLISH", "channel", "a message is no data");
        await client.DoAsync("SET", $"{tag}:gone", "x");
        await client.DoAsync("DEL", $"{tag}:gone");
    }
}
