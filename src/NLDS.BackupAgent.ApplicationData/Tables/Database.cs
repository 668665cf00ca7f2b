using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;
using NpgsqlTypes;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Tables;

/// <summary>The application's database: connections whose every value is text that reads back as the same value, whatever the role's own settings.</summary>
internal sealed class Database(ServerSettings settings)
{
    /// <summary>A table that somebody is altering is waited for this long.</summary>
    private const string LockTimeout = "30s";

    /// <summary>One statement; a COPY of millions of rows takes minutes.</summary>
    private const string StatementTimeout = "30min";

    private const int ConnectSeconds = 15;

    /// <summary>The longest that the server may say nothing: as long as a statement, and a little.</summary>
    private const int SilenceSeconds = 31 * 60;

    private const int KeepAliveSeconds = 15;

    public string Description => settings.Database.ToString();

    /// <exception cref="SourceException">It cannot be reached, or refuses.</exception>
    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionString());
        try
        {
            await connection.OpenAsync(cancellationToken);
            await ExecuteAsync(
                connection,
                $"SET lock_timeout = '{LockTimeout}'; SET statement_timeout = '{StatementTimeout}'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; "
                + "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content'; "

                // Rows that a policy hides would be missing without a word; so the query fails instead, as pg_dump's does.
                + "SET row_security = off",
                cancellationToken);
            return connection;
        }
        catch (Exception failure) when (IsExpected(failure))
        {
            await connection.DisposeAsync();
            throw Explain(failure);
        }
    }

    public static async Task<int> ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public static async Task<T?> ScalarAsync<T>(NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params IReadOnlyList<object> values)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
        {
            command.Parameters.Add(Parameter(value));
        }

        return await command.ExecuteScalarAsync(cancellationToken) is { } found and not DBNull ? (T)found : default;
    }

    /// <summary>An unsigned number is an object id.</summary>
    public static NpgsqlParameter Parameter(object value) => value is uint ? new NpgsqlParameter { Value = value, NpgsqlDbType = NpgsqlDbType.Oid } : new NpgsqlParameter { Value = value };

    /// <summary>Whether this is a failure of the connection or the server, rather than a defect of ours.</summary>
    public static bool IsExpected(Exception failure) => failure is NpgsqlException or SocketException or IOException or AuthenticationException or TimeoutException;

    /// <summary>What the server said, in one line without the statement.</summary>
    public static string Words(Exception failure) => failure is PostgresException said
        ? $"{said.MessageText}{(said.Detail is { Length: > 0 } detail && !said.IsTransient ? $" ({detail.TrimEnd('.')})" : "")} [{said.SqlState}]"
        : failure.Message.TrimEnd('.');

    public SourceException Explain(Exception failure) => failure switch
    {
        PostgresException { SqlState: "28P01" } => new SourceException(
            $"PostgreSQL refused the password of {Description}. Set ApplicationData:Postgres:Password or …:PasswordFile, or those of section Postgres.", isPermanent: true, failure),
        PostgresException { SqlState: "28000" } said => new SourceException(
            $"PostgreSQL does not let {Description} in: {said.MessageText}. Add a line to pg_hba.conf and reload.", isPermanent: true, failure),
        PostgresException { SqlState: "3D000" } said => new SourceException(
            $"{said.MessageText} at {settings.Database.Host}:{settings.Database.Port}. Set ApplicationData:Postgres:Database, or Postgres:Database (POSTGRES_DB).", isPermanent: true, failure),
        PostgresException said => new SourceException($"PostgreSQL at {Description} answered: {Words(said)}.", isPermanent: false, failure),
        _ => new SourceException(
            $"PostgreSQL at {Description} cannot be reached: {failure.Message.TrimEnd('.')}. Check Postgres:Host and Postgres:Port, and that the server runs and listens there.", isPermanent: false, failure),
    };

    private string ConnectionString() => new NpgsqlConnectionStringBuilder
    {
        Host = settings.Database.Host,
        Port = settings.Database.Port,
        Database = settings.Database.Database,
        Username = settings.Database.Username,
        Password = settings.Database.Password,
        ApplicationName = "nlds-application-data",
        SslMode = settings.Database.SslMode.ToLowerInvariant() switch
        {
            "disable" => SslMode.Disable,
            "allow" => SslMode.Allow,
            "require" => SslMode.Require,
            "verify-ca" => SslMode.VerifyCA,
            "verify-full" => SslMode.VerifyFull,
            _ => SslMode.Prefer,
        },
        RootCertificate = settings.Database.RootCertificate == "system" ? null : settings.Database.RootCertificate,
        SslCertificate = settings.Database.ClientCertificate,
        SslKey = settings.Database.ClientKey,
        Timeout = ConnectSeconds,
        CommandTimeout = SilenceSeconds,
        TcpKeepAlive = true,
        TcpKeepAliveTime = KeepAliveSeconds,
        TcpKeepAliveInterval = KeepAliveSeconds,

        // A connection every quarter of an hour is not worth one held open on somebody's database.
        Pooling = false,
    }.ConnectionString;
}
