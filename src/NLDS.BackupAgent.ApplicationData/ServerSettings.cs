using Microsoft.Extensions.Configuration;

namespace NLDS.BackupAgent.ApplicationData;

/// <summary>
/// How to reach the two servers: what their own sections say, and over it what this source's section says. The sections belong to other sources, so only the keys
/// that a connection needs are read from them; that they are right is judged where they belong.
/// </summary>
internal sealed record ServerSettings(DatabaseSettings Database, CacheSettings? Cache)
{
    public static ServerSettings Read(IConfiguration configuration, ApplicationDataOptions options)
    {
        var database = configuration.GetSection("Postgres").Get<DatabaseSettings>() ?? new DatabaseSettings();
        var cache = configuration.GetSection("Redis").Get<CacheSettings>() ?? new CacheSettings();
        var (own, ownCache) = (options.Postgres, options.Redis);
        return new ServerSettings(
            database with
            {
                Host = own.Host ?? database.Host,
                Port = own.Port ?? database.Port,
                Database = own.Database ?? database.Database,
                Username = own.Username ?? database.Username,

                // Another role's password is not this one's.
                Password = own.Password ?? (own.Username is null ? database.Password : null),
            },
            (ownCache.Host ?? cache.Host) is not { Length: > 0 } host ? null : cache with
            {
                Host = host,
                Port = ownCache.Port ?? cache.Port,
                Database = ownCache.Database,
                Username = ownCache.Username ?? (ownCache.Password is null ? cache.Username : null),
                Password = ownCache.Password ?? (ownCache.Username is null ? cache.Password : null),
            });
    }
}

/// <summary>The keys of section <c>Postgres</c> that a connection needs, with that section's defaults.</summary>
internal sealed record DatabaseSettings
{
    public string Host { get; init; } = "localhost";

    public int Port { get; init; } = 5432;

    public string Database { get; init; } = "postgres";

    public string Username { get; init; } = "postgres";

    public string? Password { get; init; }

    public string SslMode { get; init; } = "prefer";

    public string? RootCertificate { get; init; }

    public string? ClientCertificate { get; init; }

    public string? ClientKey { get; init; }

    public override string ToString() => $"{Username}@{Host}:{Port}/{Database}";
}

/// <summary>The same of section <c>Redis</c>.</summary>
internal sealed record CacheSettings
{
    public string Host { get; init; } = "";

    public int Port { get; init; } = 6379;

    public int Database { get; init; }

    public string? Username { get; init; }

    public string? Password { get; init; }

    public bool Tls { get; init; }

    public string? RootCertificate { get; init; }

    public string? ClientCertificate { get; init; }

    public string? ClientKey { get; init; }

    public string? CertificateName { get; init; }

    public override string ToString() => Host.StartsWith('/') ? Host : $"{Host}:{Port}";
}
