using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Testing;

/// <summary>A small authority and what it signed: a server's certificate, and one for a client. Lives as PEM files in a directory of its own.</summary>
public sealed class TestCertificates : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("nlds-tls-").FullName;

    /// <param name="hostNames">The names and addresses that the server's certificate carries.</param>
    public TestCertificates(params IReadOnlyList<string> hostNames)
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=NLDS test authority", rootKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        using var root = request.CreateSelfSigned(NotBefore, NotAfter);
        File.WriteAllText(RootPath, root.ExportCertificatePem());
        Issue(root, hostNames.Count > 0 ? hostNames[0] : "nobody", hostNames, ServerCertificatePath, ServerKeyPath);
        Issue(root, PostgresServer.BackupRole, [], ClientCertificatePath, ClientKeyPath);
    }

    public string RootPath => Path.Combine(directory, "root.pem");

    public string ServerCertificatePath => Path.Combine(directory, "server.pem");

    public string ServerKeyPath => Path.Combine(directory, "server.key");

    /// <summary>For the role <see cref="PostgresServer.BackupRole"/>.</summary>
    public string ClientCertificatePath => Path.Combine(directory, "client.pem");

    public string ClientKeyPath => Path.Combine(directory, "client.key");

    private static DateTimeOffset NotBefore => TimeProvider.System.GetUtcNow().AddDays(-1);

    private static DateTimeOffset NotAfter => TimeProvider.System.GetUtcNow().AddDays(30);

    /// <summary>The server's certificate with its key, as .NET's servers take it.</summary>
    public X509Certificate2 LoadServerIdentity() =>
        X509CertificateLoader.LoadPkcs12(X509Certificate2.CreateFromPemFile(ServerCertificatePath, ServerKeyPath).Export(X509ContentType.Pkcs12), null);

    public void Dispose() => Directory.Delete(directory, recursive: true);

    /// <summary>Puts the server's files where PostgreSQL looks for them by default, readable by the server alone.</summary>
    internal async Task InstallAsync(string dataDirectory)
    {
        var key = Path.Combine(dataDirectory, "server.key");
        File.Copy(ServerKeyPath, key, overwrite: true);
        File.Copy(ServerCertificatePath, Path.Combine(dataDirectory, "server.crt"), overwrite: true);
        File.Copy(RootPath, Path.Combine(dataDirectory, "root.crt"), overwrite: true);
        await File.AppendAllTextAsync(Path.Combine(dataDirectory, "postgresql.conf"), "ssl_ca_file = 'root.crt'\n");
        await ServerCommand.GiveToServerAsync(dataDirectory);
        await ServerCommand.RunExactlyAsync("chmod", "0600", key);
    }

    private static void Issue(X509Certificate2 root, string name, IReadOnlyList<string> hostNames, string certificatePath, string keyPath)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        if (hostNames.Count > 0)
        {
            var names = new SubjectAlternativeNameBuilder();
            foreach (var host in hostNames)
            {
                if (IPAddress.TryParse(host, out var address))
                {
                    names.AddIpAddress(address);
                }
                else
                {
                    names.AddDnsName(host);
                }
            }

            request.CertificateExtensions.Add(names.Build());
        }

        var serial = RandomNumberGenerator.GetBytes(8);
        serial[0] &= 0x7F;
        using var certificate = request.Create(
            root.SubjectName, X509SignatureGenerator.CreateForECDsa(root.GetECDsaPrivateKey()!), NotBefore.AddHours(1), NotAfter.AddDays(-1), serial);
        File.WriteAllText(certificatePath, certificate.ExportCertificatePem());
        File.WriteAllText(keyPath, key.ExportPkcs8PrivateKeyPem());
    }
}
