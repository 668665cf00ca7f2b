using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>TLS from the first byte, as Redis serves it: the server must show a certificate for the name that was asked for.</summary>
internal static class TlsClient
{
    /// <exception cref="AuthenticationException">The handshake failed or the certificate is not acceptable.</exception>
    public static async Task<SslStream> WrapAsync(Stream plain, RedisOptions options, ServerAddress address, CancellationToken cancellationToken)
    {
        var name = options.CertificateName ?? address.Host;
        var tls = new SslStream(plain);
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = name,
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                    CertificateChainPolicy = ChainPolicy(options),
                    ClientCertificateContext = ClientCertificate(options),
                },
                cancellationToken);
            return tls;
        }
        catch (Exception problem) when (problem is AuthenticationException or IOException or CryptographicException or UnauthorizedAccessException)
        {
            await tls.DisposeAsync();
            throw new AuthenticationException(
                $"TLS with {address} failed: {problem.Message} Check Redis:RootCertificate, Redis:ClientCertificate and Redis:CertificateName ('{name}'), and that the port is the server's tls-port.",
                problem);
        }
    }

    private static X509ChainPolicy ChainPolicy(RedisOptions options)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck };
        if (options.RootCertificate is { } path)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.ImportFromPemFile(path);
        }

        return policy;
    }

    private static SslStreamCertificateContext? ClientCertificate(RedisOptions options)
    {
        if (options.ClientCertificate is not { } path)
        {
            return null;
        }

        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(path);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(path, options.ClientKey), chain, offline: true);
    }
}
