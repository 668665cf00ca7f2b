using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>TLS from the first byte, as Redis serves it: the server must show a certificate for the name that was asked for.</summary>
internal static class TlsClient
{
    /// <exception cref="AuthenticationException">The certificate is not acceptable, or our own cannot be read.</exception>
    /// <exception cref="ConnectionLostException">The connection broke in the handshake, which says nothing of either side's certificate.</exception>
    public static async Task<SslStream> WrapAsync(Stream plain, RedisOptions options, ServerAddress address, CancellationToken cancellationToken)
    {
        var handshake = Options(options, address);
        var tls = new SslStream(plain);
        try
        {
            await tls.AuthenticateAsClientAsync(handshake, cancellationToken);
            return tls;
        }
        catch (AuthenticationException refused)
        {
            await tls.DisposeAsync();
            throw Refused(options, address, refused);
        }
        catch (IOException broken)
        {
            await tls.DisposeAsync();
            throw new ConnectionLostException(
                $"The connection to {address} broke in the TLS handshake: {broken.Message} If this lasts, check that the port is the server's tls-port.", broken);
        }
    }

    private static SslClientAuthenticationOptions Options(RedisOptions options, ServerAddress address)
    {
        try
        {
            return new SslClientAuthenticationOptions
            {
                TargetHost = Name(options, address),
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                CertificateChainPolicy = ChainPolicy(options),
                ClientCertificateContext = ClientCertificate(options),
            };
        }
        catch (Exception unreadable) when (unreadable is IOException or CryptographicException or UnauthorizedAccessException)
        {
            throw Refused(options, address, unreadable);
        }
    }

    private static AuthenticationException Refused(RedisOptions options, ServerAddress address, Exception problem) => new(
        $"TLS with {address} failed: {problem.Message} Check Redis:RootCertificate, Redis:ClientCertificate and Redis:CertificateName ('{Name(options, address)}'), "
        + "and that the port is the server's tls-port.",
        problem);

    private static string Name(RedisOptions options, ServerAddress address) => options.CertificateName ?? address.Host;

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
