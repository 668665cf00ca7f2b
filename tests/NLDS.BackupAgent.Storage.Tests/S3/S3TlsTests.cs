using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;
using NLDS.BackupAgent.Storage.S3;
using NLDS.BackupAgent.Testing;

namespace NLDS.BackupAgent.Storage.Tests.S3;

public sealed class S3TlsTests
{
    [Fact]
    public async Task A_store_whose_certificate_nobody_known_has_signed_is_refused_and_told_nothing()
    {
        using var certificates = new TestCertificates("localhost");
        using var identity = certificates.LoadServerIdentity();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var heard = HearAsync(listener, identity);
        var options = new S3Options { Bucket = "bucket", Region = "us-east-1", ServiceUrl = $"https://localhost:{((IPEndPoint)listener.LocalEndpoint).Port}" };
        using var store = new S3ObjectStore(options, new BasicAWSCredentials("access", "secret"), TimeProvider.System, NullLogger<S3ObjectStore>.Instance);

        await Should.ThrowAsync<ObjectStoreException>(() => store.PutIfAbsentAsync(new ObjectKey("a"), new byte[10], CancellationToken.None));

        listener.Stop();
        (await heard).ShouldBe(0);
    }

    /// <summary>How many bytes came through TLS, over all connections.</summary>
    private static async Task<int> HearAsync(TcpListener listener, X509Certificate2 identity)
    {
        var bytes = 0;
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync();
                await using var tls = new SslStream(client.GetStream());
                try
                {
                    await tls.AuthenticateAsServerAsync(identity);
                    bytes += await tls.ReadAsync(new byte[1000]);
                }
                catch (Exception refused) when (refused is IOException or AuthenticationException)
                {
                    // The store has hung up.
                }
            }
        }
        catch (Exception stopped) when (stopped is SocketException or InvalidOperationException)
        {
            return bytes;
        }
    }
}
