using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.ApplicationData.Tests;

/// <summary>One PostgreSQL and one Redis for all tests of this project; each test has a database of its own, and an empty Redis.</summary>
public sealed class Servers : IAsyncLifetime
{
    public PostgresServer Postgres { get; private set; } = null!;

    public RedisServer Redis { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Postgres = await PostgresServer.StartAsync(new PostgresServerOptions { ExtraSettings = new Dictionary<string, string> { ["fsync"] = "off" } });
        Redis = await RedisServer.StartAsync("--save", "");
    }

    public async ValueTask DisposeAsync()
    {
        await Redis.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}

[CollectionDefinition]
public sealed class ServersCollection : ICollectionFixture<Servers>;
