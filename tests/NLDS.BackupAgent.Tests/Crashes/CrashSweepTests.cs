using System.Globalization;
using NLDS.BackupAgent.Testing;
using NLDS.BackupAgent.Testing.Kubernetes;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>Every verb that writes, killed by SIGKILL at its calls to the file system.</summary>
public sealed class CrashSweepTests(CrashedServers servers) : IClassFixture<CrashedServers>
{
    internal const int Rows = 2000;

    [Fact]
    public async Task A_base_backup_is_whole_or_does_not_exist() => await SweepAsync(new BackupPostgres(servers.Postgres));

    [Fact]
    public async Task An_incremental_backup_is_whole_or_does_not_exist()
    {
        await using var server = await CrashedServers.StartPostgresAsync(17, ("summarize_wal", "on"), ("wal_keep_size", "1GB"));
        await SweepAsync(new BackupIncrement(server));
    }

    [Fact]
    public async Task A_restored_directory_is_whole_or_starts_no_server() => await SweepAsync(new RestorePostgres(servers.Postgres));

    [Fact]
    public async Task A_prune_takes_nothing_that_is_needed() => await SweepAsync(new PrunePostgres(servers.Postgres));

    [Fact]
    public async Task A_verification_is_done_again() => await SweepAsync(new VerifyPostgres(servers.Postgres));

    [Fact]
    public async Task A_drill_leaves_nothing_that_the_next_one_does_not_remove() => await SweepAsync(new DrillPostgres(servers.Postgres));

    [Fact]
    public async Task A_daemon_has_what_it_acknowledged_and_finds_its_way_back() => await SweepAsync(new RunPostgres(servers.Postgres), 100);

    [Fact]
    public async Task A_daemon_beside_Redis_has_what_it_acknowledged_and_goes_on_with_the_stream() => await SweepAsync(new RunRedis(servers), 40);

    [Fact]
    public async Task A_copy_of_Redis_is_whole_or_does_not_exist() => await SweepAsync(new BackupRedis(servers.Redis));

    [Fact]
    public async Task A_restored_Redis_is_whole_or_starts_no_server() => await SweepAsync(new RestoreRedis(servers.Redis));

    [Fact]
    public async Task A_prune_of_Redis_takes_nothing_that_is_needed() => await SweepAsync(new PruneRedis(servers.Redis));

    [Fact]
    public async Task A_drill_of_Redis_leaves_nothing_that_the_next_one_does_not_remove() => await SweepAsync(new DrillRedis(servers.Redis));

    [Fact]
    public async Task A_copy_of_a_namespace_is_whole_or_does_not_exist() => await SweepAsync((cluster, kubeconfig) => new BackupKubernetes(cluster, kubeconfig));

    [Fact]
    public async Task A_restored_namespace_is_completed_by_the_next_restore() => await SweepAsync((cluster, kubeconfig) => new RestoreKubernetes(cluster, kubeconfig));

    [Fact]
    public async Task A_copy_of_rows_and_keys_is_whole_or_does_not_exist() => await SweepAsync((database, cache) => new BackupApplicationData(servers, database, cache));

    [Fact]
    public async Task Restored_rows_and_keys_are_completed_by_the_next_restore() => await SweepAsync((database, cache) => new RestoreApplicationData(servers, database, cache));

    private async Task SweepAsync(Func<TcpProxy, TcpProxy, CrashedVerb> verb)
    {
        await using TcpProxy database = TcpProxy.Start(servers.Postgres.Host, servers.Postgres.Port), cache = TcpProxy.Start("127.0.0.1", servers.Redis.Port);
        await SweepAsync(verb(database, cache));
    }

    private static async Task SweepAsync(Func<ApiServerDouble, string, CrashedVerb> verb)
    {
        await using var cluster = await ApiServerDouble.StartAsync();
        using var directory = new TemporaryDirectory();
        cluster.LoadRecordedNamespace();
        await SweepAsync(verb(cluster, cluster.WriteKubeconfig(directory["kubeconfig"])));
    }

    private static async Task SweepAsync(CrashedVerb verb, params IReadOnlyList<int> places)
    {
        using (verb)
        {
            (await verb.SweepAsync(places)).ShouldBeGreaterThan(0);
        }
    }
}

/// <summary>Servers with something in them that nobody changes.</summary>
public sealed class CrashedServers : IAsyncLifetime
{
    private const string ApplicationTables =
        """
        CREATE TABLE user_sessions (session_id uuid PRIMARY KEY, user_id bigint, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, session_data jsonb);
        CREATE TABLE api_keys (key_id integer PRIMARY KEY, key_name text NOT NULL, key_type text, permissions text[], created_at timestamp, last_used timestamptz, active boolean DEFAULT true);
        INSERT INTO user_sessions SELECT gen_random_uuid(), g, now(), now() + interval '1 day', '{"a": 1}' FROM generate_series(1, 50) g;
        INSERT INTO api_keys (key_id, key_name) SELECT g, 'key ' || g FROM generate_series(1, 20) g;
        """;

    /// <summary>What of Redis is an application's cache.</summary>
    public static IReadOnlyList<string> CacheKeys { get; } = [.. Enumerable.Range(1, 20).Select(key => $"nlds:cache:{key}")];

    public PostgresServer Postgres { get; private set; } = null!;

    public RedisServer Redis { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Postgres = await StartPostgresAsync(15);
        await Postgres.ExecuteAsync(ApplicationTables);
        Redis = await RedisServer.StartAsync("--save", "");
        await RedisAsync("DEBUG", "POPULATE", $"{CrashSweepTests.Rows}", "key", "100");
        await RedisAsync("MSET", [.. CacheKeys.SelectMany(key => (string[])[key, "cached"])]);
    }

    /// <summary>With a table.</summary>
    public static async Task<PostgresServer> StartPostgresAsync(int major, params IEnumerable<(string Name, string Value)> settings)
    {
        (string Name, string Value)[] all = [("fsync", "off"), ("autovacuum", "off"), .. settings];
        var server = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Major = major,
            WalSegmentMegabytes = 1,
            ExtraSettings = all.ToDictionary(setting => setting.Name, setting => setting.Value),
        });
        await server.ExecuteAsync($"CREATE TABLE model AS SELECT g, md5(g::text) FROM generate_series(1, {CrashSweepTests.Rows}) g; CHECKPOINT");
        return server;
    }

    public Task<string> RedisAsync(string command, params string[] arguments) => RedisAsync(Redis, command, arguments);

    public static Task<string> RedisAsync(RedisServer server, string command, params string[] arguments) =>
        ServerProcess.RunAsync("redis-cli", ["-p", server.Port.ToString(CultureInfo.InvariantCulture), command, .. arguments], CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await Postgres.DisposeAsync();
        await Redis.DisposeAsync();
    }
}
