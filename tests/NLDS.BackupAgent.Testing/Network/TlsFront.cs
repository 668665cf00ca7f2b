using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Testing;

/// <summary>Speaks TLS on loopback for a server that does not, as a proxy in front of it does; a <see cref="TcpProxy"/> before it breaks what TLS carries.</summary>
public sealed class TlsFront : IAsyncDisposable
{
    private readonly string host;
    private readonly int port;
    private readonly X509Certificate2 identity;
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource end = new();
    private readonly Task accepting;

    private TlsFront(string host, int port, TestCertificates certificates)
    {
        (this.host, this.port, identity) = (host, port, certificates.LoadServerIdentity());
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>Where clients connect, on 127.0.0.1.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public static TlsFront Start(string host, int port, TestCertificates certificates) => new(host, port, certificates);

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        listener.Dispose();
        identity.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            _ = ServeAsync(await listener.AcceptTcpClientAsync(end.Token));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                await using var tls = new SslStream(client.GetStream());
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = identity }, end.Token);
                await server.ConnectAsync(host, port, end.Token);
                var toServer = tls.CopyToAsync(server.GetStream(), end.Token);
                await Task.WhenAny(toServer, server.GetStream().CopyToAsync(tls, end.Token));
                await tls.ShutdownAsync();
            }
            catch (Exception gone) when (gone is IOException or SocketException or AuthenticationException or OperationCanceledException or InvalidOperationException)
            {
                // One side has hung up, which the other one sees by the end of its connection.
            }
        }
    }
}
