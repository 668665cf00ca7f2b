namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>The server refused, with its own words. The connection is still good unless <see cref="EndsConnection"/>.</summary>
internal sealed class PostgresServerException(PostgresNotice error) : Exception(error.ToString())
{
    /// <summary>ERROR, FATAL or PANIC, never translated.</summary>
    public string Severity => error.Severity;

    public string SqlState => error.SqlState;

    /// <summary>The primary message alone; <see cref="Exception.Message"/> has everything.</summary>
    public string ServerMessage => error.Message;

    public string? Detail => error.Detail;

    public string? Hint => error.Hint;

    public bool EndsConnection => error.EndsConnection;
}
