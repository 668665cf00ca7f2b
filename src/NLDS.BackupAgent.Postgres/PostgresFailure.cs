using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;
using NLDS.BackupAgent.Postgres.Protocol;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Postgres;

/// <summary>Turns what a server or a network says into a sentence that names the thing and says what to do.</summary>
internal static class PostgresFailure
{
    /// <summary>Whether this is a failure of the connection or the server, rather than a defect of ours.</summary>
    public static bool IsExpected(Exception failure) =>
        failure is PostgresServerException or ConnectionLostException or ProtocolException or NpgsqlException or SocketException or IOException
            or AuthenticationException or TimeoutException;

    public static SourceException Explain(Exception failure, PostgresOptions options)
    {
        var (state, message) = failure switch
        {
            PostgresServerException server => (server.SqlState, server.Message),
            PostgresException sql => (sql.SqlState, sql.MessageText),
            _ => ("", failure.Message),
        };
        var where = $"{options.Username}@{options.Host}:{options.Port}";
        return state switch
        {
            SqlStates.InvalidPassword => Permanent(
                $"PostgreSQL refused the password of {where}. Set Postgres:Password (POSTGRES_PASSWORD) or Postgres:PasswordFile."),
            SqlStates.InvalidAuthorization when message.Contains("pg_hba", StringComparison.Ordinal) => Permanent(
                $"PostgreSQL has no pg_hba.conf entry for {where}: {message}. Add a line 'host replication {options.Username} ADDRESS scram-sha-256' and reload."),
            SqlStates.InvalidAuthorization or "42501" => Permanent(
                $"The role of {where} may not do this: {message}. Run ALTER ROLE {options.Username} LOGIN REPLICATION."),
            "3D000" => Permanent($"{message} on {options.Host}:{options.Port}. Set Postgres:Database (POSTGRES_DB) to one that exists."),
            "53300" => Transient($"PostgreSQL at {where} has no connection left: {message}. Raise max_wal_senders or max_connections."),
            "53400" => Permanent($"PostgreSQL at {where} has no replication slot left: {message}. Raise max_replication_slots, or drop a slot that nobody uses."),
            SqlStates.CannotConnectNow or "57P01" => Transient($"PostgreSQL at {where} is starting or stopping: {message}."),
            SqlStates.ObjectNotInPrerequisiteState when message.Contains("wal_level", StringComparison.Ordinal) => Permanent(
                $"PostgreSQL at {where} has wal_level too low: {message}. Set wal_level = replica and restart the server."),
            SqlStates.ObjectInUse => Transient(
                $"{message}. Another agent streams from slot '{options.Slot}' at {where}. Stop it, or set Postgres:Slot."),
            "" => Transient($"PostgreSQL at {where} cannot be reached: {message.TrimEnd('.')}. Check Postgres:Host and Postgres:Port, and that the server runs and listens there."),
            _ => Transient($"PostgreSQL at {where} answered {state}: {message}."),
        };

        SourceException Permanent(string text) => new(text, isPermanent: true, failure);
        SourceException Transient(string text) => new(text, isPermanent: false, failure);
    }
}
