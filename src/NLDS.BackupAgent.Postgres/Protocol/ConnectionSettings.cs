namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Where the server is and who we are to it.</summary>
internal sealed record ConnectionSettings
{
    /// <summary>A name or address, or the absolute path of the directory that holds the server's Unix socket.</summary>
    public required string Host { get; init; }

    public int Port { get; init; } = 5432;

    public required string Username { get; init; }

    public string? Password { get; init; }

    /// <summary>Only for <see cref="ReplicationMode.Database"/>; null means the user's own name, as everywhere in PostgreSQL.</summary>
    public string? Database { get; init; }

    public ReplicationMode Mode { get; init; } = ReplicationMode.Physical;

    public SslMode SslMode { get; init; } = SslMode.Prefer;

    /// <summary>A PEM file with the trusted roots, or the word <c>system</c> for the machine's own.</summary>
    public string? RootCertificatePath { get; init; }

    /// <summary>PEM; needs <see cref="ClientKeyPath"/>. Intermediate certificates may follow the first one.</summary>
    public string? ClientCertificatePath { get; init; }

    public string? ClientKeyPath { get; init; }

    /// <summary>
    /// Shown in pg_stat_replication. Keep it distinctive: a name that matches synchronous_standby_names makes every commit wait for us.
    /// </summary>
    public string ApplicationName { get; init; } = "nlds-backup-agent";

    /// <summary>For everything up to the first ReadyForQuery: name lookup, TCP, TLS and authentication.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the server may say nothing while it owes an answer that it has at once. A stopped process and a hung machine behind a gateway say nothing for ever.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Told every NOTICE and WARNING of the server, from within a read; it must not block.</summary>
    public Action<PostgresNotice>? OnNotice { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public bool IsUnixSocket => Host.StartsWith('/');

    /// <summary>The address without the password, for logs and messages.</summary>
    public override string ToString() => $"{Username}@{(IsUnixSocket ? $"{Host}/.s.PGSQL." : $"{Host}:")}{Port}";
}
