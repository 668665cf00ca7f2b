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

    /// <summary>What the server would still keep for the slot, and what it keeps at most; nulls when there is no limit, or no slot.</summary>
    public async Task<SlotRoom> ReadSlotRoomAsync(string slot, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            """
            SELECT CASE WHEN wal_status = 'lost' THEN 0 ELSE safe_wal_size END, nullif(pg_size_bytes(current_setting('max_slot_wal_keep_size')), -1)
              FROM pg_replication_slots WHERE slot_name = $1
            """,
            connection)
        {
            Parameters = { new NpgsqlParameter { Value = slot } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new SlotRoom(reader.IsDBNull(0) ? null : reader.GetInt64(0), reader.IsDBNull(1) ? null : reader.GetInt64(1))
            : new SlotRoom(null, null);
    }

    public Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken) => OpenAsync(options.Database, cancellationToken);

    /// <param name="database">Another database of the same server.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task<NpgsqlConnection> OpenAsync(string database, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionString(database));
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

    private string ConnectionString(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = options.Host,
        Port = options.Port,
        Database = database,
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

/// <summary>How much WAL the server still keeps for a slot, and the most that it keeps (<c>max_slot_wal_keep_size</c>); null where nothing limits it.</summary>
internal sealed record SlotRoom(long? Bytes, long? LimitBytes);
