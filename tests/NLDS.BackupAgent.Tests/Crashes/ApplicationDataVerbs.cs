using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Tests.Crashes;

/// <summary>A verb of an application's rows and cache keys.</summary>
/// <param name="servers">They have the rows and keys.</param>
/// <param name="database">The agent's way to PostgreSQL.</param>
/// <param name="cache">The agent's way to Redis.</param>
internal abstract class ApplicationDataVerb(CrashedServers servers, TcpProxy database, TcpProxy cache) : CrashedVerb(
    [
        ("Postgres__Enabled", "false"), ("Postgres__Host", "127.0.0.1"), ("Postgres__Port", $"{database.Port}"), ("Postgres__Username", "postgres"), ("Postgres__SslMode", "disable"),
        ("Redis__Enabled", "false"), ("Redis__Host", "127.0.0.1"), ("Redis__Port", $"{cache.Port}"), ("Agent__Instance", "redis-0"),
        ("ApplicationData__Enabled", "true"), ("ApplicationData__DataSets__system_metrics__Enabled", "false"),
    ])
{
    private string? model;

    protected TcpProxy Database { get; } = database;

    protected TcpProxy Cache { get; } = cache;

    /// <summary>Rows and keys as they are now are what a restore must bring back.</summary>
    protected async Task RememberAsync() => model ??= await ContentAsync();

    protected async Task LoseAsync()
    {
        await servers.Postgres.ExecuteAsync("TRUNCATE user_sessions; DELETE FROM api_keys WHERE key_id % 2 = 0; UPDATE api_keys SET key_name = 'changed'");
        await servers.RedisAsync("DEL", [.. CrashedServers.CacheKeys]);
    }

    protected async Task RequireContentAsync() => (await ContentAsync()).ShouldBe(model);

    private async Task<string> ContentAsync() => string.Join('\n', await RowsAsync("user_sessions"), await RowsAsync("api_keys"), await servers.RedisAsync("DEBUG", "DIGEST"));

    private Task<string> RowsAsync(string table) => servers.Postgres.ScalarAsync<string>($"SELECT coalesce(string_agg(t::text, ',' ORDER BY t::text), '') FROM {table} t");
}

/// <summary>The first copy of a store.</summary>
internal sealed class BackupApplicationData(CrashedServers servers, TcpProxy database, TcpProxy cache) : ApplicationDataVerb(servers, database, cache)
{
    protected override IReadOnlyList<string> Words { get; } = ["backup", "application-data"];

    protected override async Task RequireDoneAsync()
    {
        await RememberAsync();
        await LoseAsync();
        await Agent.RunAsync("restore", "application-data");
        await RequireContentAsync();
    }
}

/// <summary>A restore of rows and keys that are gone or changed, killed before each message to their servers too.</summary>
internal sealed class RestoreApplicationData(CrashedServers servers, TcpProxy database, TcpProxy cache) : ApplicationDataVerb(servers, database, cache)
{
    protected override IReadOnlyList<string> Words { get; } = ["restore", "application-data"];

    protected override async Task PrepareAsync()
    {
        await RememberAsync();
        await PrepareBackupAsync("application-data");
        await LoseAsync();
    }

    protected override void AlsoCount(Func<string, bool> mayPass)
    {
        Database.ToServer.MayPass = () => mayPass("a message to PostgreSQL");
        Cache.ToServer.MayPass = () => mayPass("a message to Redis");
    }

    protected override Task RequireDoneAsync() => RequireContentAsync();
}
