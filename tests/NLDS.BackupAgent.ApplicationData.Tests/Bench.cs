using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NLDS.BackupAgent.ApplicationData.Archive;
using NLDS.BackupAgent.ApplicationData.Backup;
using NLDS.BackupAgent.ApplicationData.Cache;
using NLDS.BackupAgent.ApplicationData.Checks;
using NLDS.BackupAgent.ApplicationData.Restore;
using NLDS.BackupAgent.ApplicationData.Tables;
using NLDS.BackupAgent.ApplicationData.Verification;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.ApplicationData.Tests;

/// <summary>The whole source between real servers and a store in memory.</summary>
internal sealed class Bench : IAsyncDisposable
{
    /// <summary>The strategy document's tables.</summary>
    public const string StrategyTables =
        """
        CREATE TABLE user_sessions (session_id uuid PRIMARY KEY, user_id bigint, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, session_data jsonb);
        CREATE TABLE api_keys (key_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key_name text NOT NULL, key_type text, permissions text[], created_at timestamp, last_used timestamptz, active boolean DEFAULT true);
        CREATE TABLE system_metrics (metric_name text, metric_value double precision, timestamp timestamptz, labels jsonb);
        """;

    private static int databases;

    private readonly Servers servers;
    private readonly string? key;

    private Bench(Servers servers, string database, NpgsqlConnection sql, CacheConnection redis, ApplicationDataOptions options, TimeProvider clock, string? key)
    {
        this.servers = servers;
        (Sql, Redis, Options, Clock) = (sql, redis, options, clock);
        Settings = new ServerSettings(
            new DatabaseSettings { Host = servers.Postgres.Host, Port = servers.Postgres.Port, Database = database, Username = options.Postgres.Username ?? "postgres", Password = options.Postgres.Password },
            options.Redis.Host is "" ? null : new CacheSettings { Host = options.Redis.Host ?? "127.0.0.1", Port = options.Redis.Port ?? servers.Redis.Port });
        this.key = key;
        Repository = RepositoryOver(Store);
        Source = SourceOver(Store);
    }

    public MemoryObjectStore Store { get; } = new();

    public BackupRepository Repository { get; }

    public ApplicationDataSource Source { get; }

    public ApplicationDataOptions Options { get; }

    public ServerSettings Settings { get; }

    public TimeProvider Clock { get; }

    public NpgsqlConnection Sql { get; }

    public CacheConnection Redis { get; }

    public static async Task<Bench> StartAsync(Servers servers, string sql, Action<ApplicationDataOptions>? configure = null, TimeProvider? clock = null, string? key = null)
    {
        var database = $"test_{Interlocked.Increment(ref databases)}";
        await servers.Postgres.ExecuteAsync($"CREATE DATABASE {database}");
        var options = new ApplicationDataOptions { Enabled = true };
        configure?.Invoke(options);
        var connection = new NpgsqlConnection(servers.Postgres.ConnectionString.Replace("Database=postgres", $"Database={database}", StringComparison.Ordinal));
        await connection.OpenAsync();
        var redis = await CacheConnection.OpenAsync(new CacheSettings { Host = "127.0.0.1", Port = servers.Redis.Port }, TimeProvider.System, CancellationToken.None);
        await redis.AskAsync("FLUSHALL", CancellationToken.None);
        var bench = new Bench(servers, database, connection, redis, options, clock ?? TimeProvider.System, key);
        await bench.ExecuteAsync(sql);
        return bench;
    }

    /// <summary>Only one data set, of table <c>t</c>.</summary>
    public static Action<ApplicationDataOptions> OnlyTable(Action<ApplicationDataOptions.DataSetOptions>? configure = null) => options =>
    {
        options.Cache.Enabled = false;
        foreach (var name in new[] { "user_sessions", "api_keys", "system_metrics" })
        {
            options.DataSets[name] = new ApplicationDataOptions.DataSetOptions { Enabled = false };
        }

        options.DataSets["t"] = new ApplicationDataOptions.DataSetOptions { Query = "SELECT * FROM t" };
        configure?.Invoke(options.DataSets["t"]);
    };

    /// <summary>Another process, with the same servers and its own way to a store.</summary>
    public ApplicationDataSource SourceOver(IObjectStore store)
    {
        var (repository, tables) = (RepositoryOver(store), new Database(Settings));
        var restorer = new SetRestorer(tables, Settings, repository, Clock);
        return new ApplicationDataSource(
            Options,
            repository,
            new BackupTaker(Options, tables, Settings, repository, Clock, NullLogger<BackupTaker>.Instance),
            new RestorePlanner(Options, repository, restorer),
            restorer,
            new ApplicationDataVerifier(repository, Clock),
            new ApplicationDataChecks(Options, tables, Settings, Clock));
    }

    public Task ExecuteAsync(string sql) => Database.ExecuteAsync(Sql, sql, CancellationToken.None);

    public async Task<T> ScalarAsync<T>(string sql) => (await Database.ScalarAsync<T>(Sql, sql, CancellationToken.None))!;

    /// <summary>A table's rows as the server writes them, in an order of their own.</summary>
    public Task<string> RowsAsync(string table, string? columns = null) =>
        ScalarAsync<string>($"SELECT coalesce(string_agg(line, E'\\n' ORDER BY line), '') FROM (SELECT ({(columns is null ? "x" : $"ROW({columns})")})::text AS line FROM {table} x) l");

    public Task<CacheReply> RedisAsync(string command, params string[] arguments) => Redis.AskAsync(command, CancellationToken.None, [.. arguments.Select(Encoding.UTF8.GetBytes)]);

    public Task<SealedBackup> TakeAsync() => Source.TakeAsync(new Progress<TransferProgress>(), CancellationToken.None);

    public Task<RestorePlan> PlanAsync(string? only = null, string? backup = null, bool keepTtl = false)
    {
        var words = new Dictionary<string, IReadOnlyList<string>>();
        if (only is not null)
        {
            words["only"] = [only];
        }

        if (keepTtl)
        {
            words["keep-ttl"] = [];
        }

        return Source.PlanRestoreAsync(new RestoreRequest { BackupId = backup, Options = words }, CancellationToken.None);
    }

    public async Task<RestoreOutcome> RestoreAsync(string? only = null, string? backup = null, bool keepTtl = false) =>
        await Source.RestoreAsync(await PlanAsync(only, backup, keepTtl), new Progress<TransferProgress>(), CancellationToken.None);

    public Task<VerifyReport> VerifyAsync() => Source.VerifyAsync(VerifyScope.All, new Progress<TransferProgress>(), CancellationToken.None);

    public async Task<JsonElement> DocumentAsync(SealedBackup backup, string name)
    {
        using var archive = new MemoryStream();
        await using (var source = Repository.OpenRead(ArchiveDetails.ArchiveOf(backup), ContentProof.StoredAndContent))
        {
            await source.CopyToAsync(archive);
        }

        archive.Position = 0;
        await using var tar = new System.Formats.Tar.TarReader(archive);
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            if (entry.Name == $"nlds_backup_{backup.Id}/{name}")
            {
                return (await JsonDocument.ParseAsync(entry.DataStream!)).RootElement;
            }
        }

        throw new InvalidOperationException($"The archive has no '{name}'.");
    }

    private BackupRepository RepositoryOver(IObjectStore store) => new(store, new RepositoryOptions { CompressionLevel = 1, Encryption = { Key = key } }, Clock);

    public async ValueTask DisposeAsync()
    {
        await Sql.DisposeAsync();
        await Redis.DisposeAsync();
        await servers.Postgres.ExecuteAsync($"DROP DATABASE \"{Settings.Database.Database}\" WITH (FORCE)");
    }
}
