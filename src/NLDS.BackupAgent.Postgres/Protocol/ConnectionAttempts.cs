using System.Security.Authentication;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Which attempts an sslmode stands for, in order, and when the next one may be made.</summary>
internal static class ConnectionAttempts
{
    public static IReadOnlyList<Encryption> For(ConnectionSettings settings) => settings switch
    {
        // libpq never asks for TLS on a Unix socket.
        { IsUnixSocket: true } => [Encryption.Never],
        { SslMode: SslMode.Disable } => [Encryption.Never],
        { SslMode: SslMode.Allow } => [Encryption.Never, Encryption.Always],
        { SslMode: SslMode.Prefer } => [Encryption.IfOffered, Encryption.Never],
        _ => [Encryption.Always],
    };

    /// <summary>A refusal that may depend on encryption: no fitting line in pg_hba.conf, or a failed TLS handshake. A wrong password is final.</summary>
    public static bool MayDependOnEncryption(Exception problem) =>
        problem is AuthenticationException or PostgresServerException { SqlState: SqlStates.InvalidAuthorization };

    /// <exception cref="ArgumentException">The settings contradict themselves.</exception>
    public static void Validate(ConnectionSettings settings)
    {
        var verifies = settings.SslMode is SslMode.VerifyCa or SslMode.VerifyFull;
        if (verifies && !settings.IsUnixSocket && settings.RootCertificatePath is null)
        {
            throw new ArgumentException($"SslMode {settings.SslMode} needs a root certificate: set its path, or 'system' for the machine's own.");
        }

        if (settings is { RootCertificatePath: "system", SslMode: not SslMode.VerifyFull })
        {
            throw new ArgumentException("The root certificate 'system' needs SslMode VerifyFull: anybody can get a certificate that those roots sign.");
        }

        if (settings.ClientCertificatePath is null != settings.ClientKeyPath is null)
        {
            throw new ArgumentException("A client certificate and its key belong together: set both paths or neither.");
        }
    }
}
