using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>Where the API server is, and who asks it.</summary>
internal sealed record ClusterConnection
{
    public required Uri Server { get; init; }

    /// <summary>The namespace that it was set up for; null when nothing says.</summary>
    public string? Namespace { get; init; }

    /// <summary>It is the one that every pod is given, and <see cref="Namespace"/> the pod's own.</summary>
    public bool IsPod { get; init; }

    /// <summary>Where this was read, for messages: <c>the pod's service account</c>, <c>context prod of /home/a/.kube/config</c>.</summary>
    public required string Origin { get; init; }

    public required ICredential Credential { get; init; }

    /// <summary>PEM, asked for at each handshake: it is renewed under way. Null trusts what the machine trusts.</summary>
    public Func<X509Certificate2Collection>? Authorities { get; init; }

    /// <summary>The server's certificate is not looked at; only where the configuration says so in so many words.</summary>
    public bool IsInsecure { get; init; }

    /// <summary>The name that the server's certificate must carry, when it is not the server's.</summary>
    public string? CertificateName { get; init; }

    public Uri? Proxy { get; init; }

    public SocketsHttpHandler CreateHandler()
    {
        var handler = new SocketsHttpHandler
        {
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(15),
            AutomaticDecompression = System.Net.DecompressionMethods.GZip,
            AllowAutoRedirect = false,
            UseProxy = Proxy is not null,
            Proxy = Proxy is null ? null : new System.Net.WebProxy(Proxy),
        };
        handler.SslOptions.TargetHost = CertificateName;
        handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => Credential.Certificate!;
        handler.SslOptions.RemoteCertificateValidationCallback = Accepts;
        return handler;
    }

    private bool Accepts(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (IsInsecure || errors == SslPolicyErrors.None)
        {
            return certificate is not null;
        }

        if (Authorities is null || certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            return false;
        }

        using var presented = new X509Certificate2(certificate);
        using var trusted = new X509Chain();
        trusted.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        trusted.ChainPolicy.CustomTrustStore.AddRange(Authorities());
        trusted.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        if (chain is not null)
        {
            trusted.ChainPolicy.ExtraStore.AddRange(chain.ChainPolicy.ExtraStore);
        }

        return trusted.Build(presented);
    }
}
