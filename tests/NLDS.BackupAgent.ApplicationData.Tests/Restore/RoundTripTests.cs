using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.ApplicationData.Tests.Restore;

/// <summary>What goes back is what was there, to the last digit.</summary>
[Collection(typeof(ServersCollection))]
public sealed class RoundTripTests(Servers servers)
{
    private const string EveryType =
        """
        CREATE EXTENSION hstore;
        CREATE TYPE mood AS ENUM ('sad', 'so "so"', 'happy, really');
        CREATE TYPE pair AS (a integer, b text);
        CREATE DOMAIN positive AS numeric(12, 3) CHECK (VALUE > 0);
        CREATE TABLE t (
            id bigint PRIMARY KEY, small smallint, number integer, decimal_number numeric, money_amount money, single real, dbl double precision, flag boolean,
            letters text, fixed character(10), var varchar(20), one "char", nam name, bytes bytea, doc json, docb jsonb, at timestamptz, local timestamp, day date, clock time, zoned timetz,
            span interval, uid uuid, address inet, network cidr, mac macaddr, bits bit(5), varbits bit varying, spot point, shape polygon, search tsvector, query tsquery,
            mark xml, range_n int4range, range_t tstzrange, ranges nummultirange, m mood, p pair, d positive, h hstore, lsn pg_lsn,
            ints integer[], nums numeric[], texts text[], docs jsonb[], times timestamptz[], moods mood[], boxes box[], bools boolean[], matrix integer[][], shifted integer[], chars character(3)[]);
        INSERT INTO t VALUES (
            9223372036854775807, -32768, 2147483647, 12345678901234567890.1234567890123456789000, '$1,234.56', 1.17549435e-38, 0.1, true,
            E'quote " back \\ slash / tab \t line \n return \r bell \x07 ünïcödé \U0001F600 \\N \\.', 'padded', 'v', 'x', 'a_name', '\x00ff5c0a09', E'{"a" : 1.0,\n "a": 2, "s": "\\u00e9\\n"}', '{"big": 123456789012345678901234567890.50, "e": 1e400, "n": null}',
            '2026-11-23 02:00:00.123456+00', '2026-11-23 02:00:00.1', '2026-11-23', '23:59:59.999999', '12:00:00+05:30',
            '1 year -2 mons +3 days -04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', B'10101', B'1', '(1.5,-2)', '((0,0),(1,1),(2,0))',
            'a fat cat''s', 'fat & !cat', '<a b="c">&amp;</a>', '[1,10)', '["2026-01-01 00:00:00+00",infinity)', '{[1.5,2.5],(3,4]}', 'so "so"', ROW(1, 'x "y", (z)'), 0.001, 'a=>1, "b c"=>NULL', '16/B374D848',
            '{1,NULL,-3}', '{1.500,NaN,Infinity,1e-20}', ARRAY['', 'NULL', NULL, '{}', 'a,b', 'c"d', E'e\\f', ' g ', E'h\ni'], ARRAY['{"a": [1, 2]}', 'null', NULL]::jsonb[], '{infinity,"2026-01-01 00:00:00.5+00"}', '{"so \"so\"","happy, really"}',
            '{(1,1),(0,0);(2,2),(1,1)}', '{t,f,NULL}', '{{1,2},{3,4}}', '[0:1]={7,8}', '{a,"b c"}');
        INSERT INTO t (id, decimal_number, single, dbl, at, local, day, docb, doc, letters, texts, range_n, bytes) VALUES
            (1, 'NaN', 'NaN', 'Infinity', 'infinity', '-infinity', 'infinity', 'null', ' null ', '', '{}', 'empty', ''),
            (2, 'Infinity', '-Infinity', '-0', '0044-03-15 12:00:00+00 BC', '4713-01-01 00:00:00 BC', '0044-03-15 BC', '"text"', '[]', 'null', NULL, NULL, NULL),
            (3, '-0.000', 1e10, 1.7976931348623157e308, '294276-12-31 23:59:59.999999+00', '10000-01-01 00:00:00', '5874897-12-31', '[]', 'true', '\N', '{NULL}', NULL, NULL),
            (4, 1e100, 1, 5e-324, '0001-01-01 00:00:00+00', '2026-06-01 00:00:00.000001', '0001-01-01', '1', '0', '{', NULL, NULL, NULL),
            (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        """;

    [Fact]
    public async Task Every_type_of_postgresql_comes_back_exactly()
    {
        await using var bench = await Bench.StartAsync(servers, EveryType, Bench.OnlyTable());
        var before = await bench.RowsAsync("t");
        var nulls = await bench.ScalarAsync<string>("SELECT string_agg(concat(id, docb IS NULL, doc IS NULL, letters IS NULL, texts IS NULL), ',' ORDER BY id) FROM t");

        var backup = await bench.TakeAsync();
        backup.Omissions.ShouldBeEmpty();
        await bench.ExecuteAsync("TRUNCATE t");
        var outcome = await bench.RestoreAsync();

        outcome.NotRestored.ShouldBeEmpty();
        (await bench.RowsAsync("t")).ShouldBe(before);
        (await bench.ScalarAsync<string>("SELECT string_agg(concat(id, docb IS NULL, doc IS NULL, letters IS NULL, texts IS NULL), ',' ORDER BY id) FROM t")).ShouldBe(nulls);
        (await bench.PlanAsync()).Steps.ShouldHaveSingleItem().ShouldContain("0 new, 0 changed, 6 equal");
        (await bench.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task Every_type_of_redis_comes_back_exactly_with_keys_of_any_bytes()
    {
        await using var bench = await Bench.StartAsync(servers, "SELECT 1", options =>
        {
            Bench.OnlyTable(set => set.Enabled = false)(options);
            options.Cache.Enabled = true;
            options.Cache.Pattern = "*";
        });
        await bench.RedisAsync("SET", "text", "value \" \\ ünïcödé");
        await bench.RedisAsync("SET", "empty", "");
        await bench.RedisAsync("SET", "number", "-12345");
        await bench.RedisAsync("SET", "tiny", "7");
        await bench.RedisAsync("SET", "large number", "2000000000");
        await bench.RedisAsync("SET", "compressible", string.Concat(Enumerable.Repeat("the same again and again ", 2000)));
        await bench.RedisAsync("SET", "base64:YQ==", "a name that looks like ours");
        await bench.RedisAsync("SET", "expiring", "later", "PX", "86400000");
        await bench.RedisAsync("RPUSH", ["list", .. Enumerable.Range(0, 500).Select(i => $"element {i}")]);
        await bench.RedisAsync("SADD", "intset", "1", "2", "300000");
        await bench.RedisAsync("SADD", ["set", .. Enumerable.Range(0, 600).Select(i => $"member {i}")]);
        await bench.RedisAsync("ZADD", "zset", "1.5", "a", "-inf", "b");
        await bench.RedisAsync("HSET", "hash", "field", "value");
        await bench.RedisAsync("XADD", "stream", "1-1", "name", "one");
        await bench.RedisAsync("XGROUP", "CREATE", "stream", "group", "0");
        await bench.RedisAsync("PFADD", "hyperloglog", "a", "b");
        await bench.Redis.AskAsync("SET", CancellationToken.None, [0, 255, 10, 13, 34], [0, 1, 254, 255]);
        await bench.Redis.AskAsync("SET", CancellationToken.None, [0xff, 0xfe], [0x80]);
        var before = (await bench.RedisAsync("DEBUG", "DIGEST")).Text;
        var expires = (await bench.RedisAsync("PEXPIRETIME", "expiring")).Integer!.Value;

        var backup = await bench.TakeAsync();
        backup.Omissions.ShouldBeEmpty();
        await bench.RedisAsync("FLUSHALL");
        (await bench.RestoreAsync()).NotRestored.ShouldBeEmpty();

        (await bench.RedisAsync("DBSIZE")).Integer.ShouldBe(17);
        (await bench.RedisAsync("DEBUG", "DIGEST")).Text.ShouldBe(before);
        (await bench.RedisAsync("PEXPIRETIME", "expiring")).Integer!.Value.ShouldBeInRange(expires - 5000, expires + 5000);

        // The payload of a large set lists its members in the order of its hash table, which is another after each restore: the digest above is what counts.
        (await bench.PlanAsync()).Steps.ShouldHaveSingleItem().ShouldMatch("0 new, (0 changed, 17|1 changed, 16) equal");
        var entries = (await bench.DocumentAsync(backup, "processing_cache.json")).GetProperty("cache_entries");
        entries.GetProperty("number").GetProperty("value").GetString().ShouldBe("-12345");
        entries.GetProperty("large number").GetProperty("value").GetString().ShouldBe("2000000000");
        entries.GetProperty("compressible").GetProperty("value").GetString().ShouldStartWith("the same again and again the same");
        entries.GetProperty("list").GetProperty("type").GetString().ShouldBe("list");
        entries.GetProperty("stream").GetProperty("type").GetString().ShouldBe("stream");
        (await bench.VerifyAsync()).Damage.ShouldBeEmpty();
    }

    [Fact]
    public async Task Keys_live_on_for_what_is_left_of_their_time_or_again_for_all_of_it()
    {
        var clock = new ManualClock(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var bench = await Bench.StartAsync(servers, "SELECT 1", options =>
        {
            Bench.OnlyTable(set => set.Enabled = false)(options);
            options.Cache.Enabled = true;
        }, clock);
        await bench.RedisAsync("SET", "nlds:cache:long", "x", "EX", "7200");
        await bench.RedisAsync("SET", "nlds:cache:short", "x", "EX", "600");
        await bench.RedisAsync("SET", "nlds:cache:for ever", "x");
        await bench.TakeAsync();
        await bench.RedisAsync("FLUSHALL");
        clock.Advance(TimeSpan.FromHours(1));

        var outcome = await bench.RestoreAsync();

        outcome.Notes.ShouldHaveSingleItem().ShouldContain("2 new, 0 changed, 0 equal, 1 expired");
        (await bench.RedisAsync("PTTL", "nlds:cache:long")).Integer!.Value.ShouldBeInRange(3_500_000, 3_600_000);
        (await bench.RedisAsync("PTTL", "nlds:cache:short")).Integer.ShouldBe(-2);
        (await bench.RedisAsync("PTTL", "nlds:cache:for ever")).Integer.ShouldBe(-1);

        await bench.RestoreAsync(keepTtl: true);

        (await bench.RedisAsync("PTTL", "nlds:cache:long")).Integer!.Value.ShouldBeInRange(7_000_000, 7_200_000);
        (await bench.RedisAsync("PTTL", "nlds:cache:short")).Integer!.Value.ShouldBeInRange(500_000, 600_000);
    }

    [Fact]
    public async Task An_encrypted_backup_comes_back_too_and_shows_nothing()
    {
        await using var bench = await Bench.StartAsync(
            servers, "CREATE TABLE t (id integer PRIMARY KEY, secret text); INSERT INTO t VALUES (1, 'hunter2')", Bench.OnlyTable(), key: Convert.ToBase64String(new byte[32].Select((_, i) => (byte)i).ToArray()));

        var backup = await bench.TakeAsync();
        await bench.ExecuteAsync("TRUNCATE t");
        (await bench.RestoreAsync()).NotRestored.ShouldBeEmpty();

        (await bench.ScalarAsync<string>("SELECT secret FROM t")).ShouldBe("hunter2");
        ArchiveKey(backup).ShouldEndWith(".tar.gz.enc");
    }

    private static string ArchiveKey(NLDS.BackupAgent.Repository.Backups.SealedBackup backup) => NLDS.BackupAgent.ApplicationData.Archive.ArchiveDetails.ArchiveOf(backup).Key;
}
