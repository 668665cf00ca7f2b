using System.Net.Sockets;
using System.Security.Authentication;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Redis;

/// <summary>Turns what a server or a network says into a sentence that names the thing and says what to do.</summary>
internal static class RedisFailure
{
    /// <summary>Whether this is a failure of the connection or the server, rather than a defect of ours.</summary>
    public static bool IsExpected(Exception failure) =>
        failure is RedisErrorException or ConnectionLostException or ProtocolException or SocketException or IOException or AuthenticationException;

    /// <summary>PSYNC itself is not to be had here: an ACL without it, or a managed service that blocks it.</summary>
    public static bool IsReplicationRefused(Exception failure) =>
        failure is RedisErrorException { Command: "PSYNC" or "REPLCONF" } refused && (refused.Code == "NOPERM" || refused.IsUnknownCommand);

    public static SourceException Explain(Exception failure, RedisOptions options)
    {
        var where = $"{(options.Username is { } user ? user + "@" : "")}{options.Address}";
        return failure switch
        {
            RedisErrorException { Code: "WRONGPASS" } => Permanent(
                $"Redis refused the password of {where}. Set Redis:Password (REDIS_PASSWORD) or Redis:PasswordFile{(options.Username is null ? ", and Redis:Username for an ACL user" : "")}."),
            RedisErrorException { Command: "AUTH", Code: "ERR" } wrong when wrong.ServerMessage.Contains("password", StringComparison.OrdinalIgnoreCase) => Permanent(
                $"Redis at {where} does not take the password: {wrong.ServerMessage}. Set Redis:Password (REDIS_PASSWORD) to the server's, or leave it out when the server has none."),
            RedisErrorException { Code: "NOAUTH" } => Permanent($"Redis at {where} wants a password. Set Redis:Password (REDIS_PASSWORD) or Redis:PasswordFile."),
            RedisErrorException { Code: "NOPERM" } denied => Permanent(
                $"The user of {where} may not use {denied.Command}: {denied.ServerMessage}. Run ACL SETUSER {options.Username ?? "default"} +psync +replconf +ping +info +config|get +script|exists."),
            RedisErrorException error when IsReplicationRefused(error) => Permanent(
                $"Redis at {where} does not allow {error.Command}: {error.ServerMessage}. A managed service often blocks replication; set Redis:Mode to Snapshot."),
            RedisErrorException { Code: "LOADING" or "MASTERDOWN" or "NOMASTERLINK" or "BUSY" } busy => Transient($"Redis at {where} is not ready: {busy.ServerMessage}."),
            RedisErrorException error => Transient($"Redis at {where} answered {error.Command} with: {error.ServerMessage}."),
            AuthenticationException tls => Permanent(tls.Message),
            ProtocolException odd => Transient($"Redis at {where}: {odd.Message}"),
            _ => Transient($"Redis at {where} cannot be reached: {failure.Message} Check Redis:Host and Redis:Port, and that the server runs."),
        };

        SourceException Permanent(string text) => new(text, isPermanent: true, failure);
        SourceException Transient(string text) => new(text, isPermanent: false, failure);
    }
}
