using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Turns a plain connection into TLS if the server has it, and looks at its certificate as libpq would.</summary>
internal static class TlsUpgrade
{
    /// <summary>1234 and 5679, a protocol version that no server will ever speak.</summary>
    private const int SslRequestCode = 80877103;

    private const string SystemRoots = "system";

    /// <summary>Returns the same transport when the server has no TLS.</summary>
    /// <exception cref="AuthenticationException">The handshake failed or the certificate is not acceptable.</exception>
    public static async Task<Transport> UpgradeIfOfferedAsync(Transport plain, ConnectionSettings settings, CancellationToken cancellationToken)
    {
        if (!await IsOfferedAsync(plain.Stream, cancellationToken))
        {
            return plain;
        }

        var check = new ServerCertificateCheck(settings);
        var tls = new SslStream(plain.Stream);
        try
        {
            await tls.AuthenticateAsClientAsync(Options(settings, check), cancellationToken);
        }
        catch (Exception problem) when (problem is AuthenticationException or IOException or CryptographicException or UnauthorizedAccessException)
        {
            await tls.DisposeAsync();
            throw new AuthenticationException($"TLS with {settings} failed: {check.Complaint ?? problem.Message}", problem);
        }

        return new Transport(tls, IsPrivate: true, new X509Certificate2(tls.RemoteCertificate!));
    }

    /// <summary>
    /// Exactly one byte answers. Whatever an attacker sends behind it is read by the TLS layer, which refuses it, and never by us in plain.
    /// </summary>
    private static async Task<bool> IsOfferedAsync(Stream stream, CancellationToken cancellationToken)
    {
        var answer = new byte[1];
        try
        {
            await stream.WriteAsync(new MessageBuilder(type: null).Int32(SslRequestCode).Build(), cancellationToken);
            await stream.ReadExactlyAsync(answer, cancellationToken);
        }
        catch (IOException problem)
        {
            throw new ConnectionLostException("The server closed the connection when asked for TLS. Its log says why.", problem);
        }

        return answer[0] switch
        {
            (byte)'S' => true,
            (byte)'N' => false,
            // An error at this place is not authenticated, so its text is not shown.
            _ => throw new ProtocolException("The server answered the request for TLS with neither yes nor no. Check the address."),
        };
    }

    private static SslClientAuthenticationOptions Options(ConnectionSettings settings, ServerCertificateCheck check) => new()
    {
        TargetHost = settings.Host, // also the SNI, unless it is an address
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13, // libpq's own minimum
        RemoteCertificateValidationCallback = (_, certificate, chain, errors) => check.Accepts(certificate, chain, errors),
        CertificateChainPolicy = ChainPolicy(settings),
        ClientCertificateContext = ClientCertificate(settings),
    };

    private static X509ChainPolicy ChainPolicy(ConnectionSettings settings)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck };
        if (settings.RootCertificatePath is { } path and not SystemRoots)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.ImportFromPemFile(path);
        }

        return policy;
    }

    private static SslStreamCertificateContext? ClientCertificate(ConnectionSettings settings)
    {
        if (settings.ClientCertificatePath is not { } path)
        {
            return null;
        }

        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(path);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(path, settings.ClientKeyPath), chain, offline: true);
    }
}
