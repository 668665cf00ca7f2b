using Npgsql;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres;

/// <summary>The questions that are asked in SQL, over Npgsql; everything that streams goes over the replication protocol.</summary>
internal sealed class PostgresSql(PostgresOptions options)
{
    public async Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        var value = await command.ExecuteScalarAsync(cancellationToken);
        return value is null or DBNull ? default : (T)value;
    }

    public async Task<IReadOnlyDictionary<string, string>> SettingsAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY($1)", connection)
        {
            Parameters = { new NpgsqlParameter { Value = names.ToArray() } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add(reader.GetString(0), reader.GetString(1));
        }

        return found;
    }

    /// <summary>The slot, or null when the server said that there is none.</summary>
    public async Task<SlotState?> ReadSlotAsync(string slot, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            "SELECT restart_lsn::text, coalesce(wal_status, 'unknown'), active, active_pid, slot_type FROM pg_replication_slots WHERE slot_name = $1", connection)
        {
            Parameters = { new NpgsqlParameter { Value = slot } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new SlotState(
                reader.IsDBNull(0) ? null : reader.GetString(0),
                reader.GetString(1),
                reader.GetBoolean(2),
                reader.IsDBNull(3) ? null : reader.GetInt32(3),
                reader.GetString(4))
            : null;
    }

    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionString());
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch (NpgsqlException failure)
        {
            await connection.DisposeAsync();
            throw PostgresFailure.Explain(failure, options);
        }
    }

    private string ConnectionString() => new NpgsqlConnectionStringBuilder
    {
        Host = options.Host,
        Port = options.Port,
        Database = options.Database,
        Username = options.Username,
        Password = options.Password,
        ApplicationName = options.ApplicationName + "-sql",
        SslMode = PostgresOptions.ParseSslMode(options.SslMode) switch
        {
            Protocol.SslMode.Disable => SslMode.Disable,
            Protocol.SslMode.Allow => SslMode.Allow,
            Protocol.SslMode.Require => SslMode.Require,
            Protocol.SslMode.VerifyCa => SslMode.VerifyCA,
            Protocol.SslMode.VerifyFull => SslMode.VerifyFull,
            _ => SslMode.Prefer,
        },
        RootCertificate = options.RootCertificate == "system" ? null : options.RootCertificate,
        SslCertificate = options.ClientCertificate,
        SslKey = options.ClientKey,
        Timeout = 15,
        CommandTimeout = 30,
        // A question every few minutes is not worth a connection held open on somebody's database.
        Pooling = false,
    }.ConnectionString;
}

/// <summary>A row of pg_replication_slots.</summary>
internal sealed record SlotState(string? RestartLsn, string WalStatus, bool Active, int? ActivePid, string Type);
