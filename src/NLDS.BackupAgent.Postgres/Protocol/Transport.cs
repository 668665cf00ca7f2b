using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Bytes to and from a server, and what authentication must know about the way they take.</summary>
/// <param name="Stream">Owns the socket.</param>
/// <param name="IsPrivate">Nobody on a network can read along: TLS, a Unix socket, or the loopback interface.</param>
/// <param name="ServerCertificate">Present under TLS.</param>
internal sealed record Transport(Stream Stream, bool IsPrivate, X509Certificate2? ServerCertificate)
{
    /// <summary>After 15 s of silence, and three unanswered probes 5 s apart, the other side is gone. A dead peer is noticed within half a minute.</summary>
    private const int KeepAliveSeconds = 15;
    private const int KeepAliveIntervalSeconds = 5;
    private const int KeepAliveProbes = 3;

    /// <summary>The same for bytes that we sent and nobody acknowledges, which keepalive does not look at.</summary>
    private const int UserTimeoutMilliseconds = 30_000;
    private const int TcpLevel = 6;
    private const int TcpUserTimeoutOption = 18;

    public bool IsEncrypted => ServerCertificate is not null;

    /// <summary>Connects without TLS, to the first of the host's addresses that answers.</summary>
    /// <exception cref="ConnectionLostException">None does.</exception>
    public static async Task<Transport> ConnectAsync(ConnectionSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            return settings.IsUnixSocket
                ? await ConnectUnixAsync(settings, cancellationToken)
                : await ConnectTcpAsync(settings, cancellationToken);
        }
        catch (SocketException problem)
        {
            throw new ConnectionLostException($"Could not connect to {settings}: {problem.Message}.", problem);
        }
    }

    private static async Task<Transport> ConnectUnixAsync(ConnectionSettings settings, CancellationToken cancellationToken)
    {
        var path = Path.Combine(settings.Host, $".s.PGSQL.{settings.Port}");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        return await ConnectAsync(socket, new UnixDomainSocketEndPoint(path), isPrivate: true, cancellationToken);
    }

    private static async Task<Transport> ConnectTcpAsync(ConnectionSettings settings, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(settings.Host, cancellationToken);
        SocketException? last = null;
        foreach (var address in addresses)
        {
            try
            {
                var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                WatchForDeath(socket);
                return await ConnectAsync(socket, new IPEndPoint(address, settings.Port), IPAddress.IsLoopback(address), cancellationToken);
            }
            catch (SocketException problem)
            {
                last = problem;
            }
        }

        throw last ?? new SocketException((int)SocketError.HostNotFound);
    }

    private static async Task<Transport> ConnectAsync(Socket socket, EndPoint address, bool isPrivate, CancellationToken cancellationToken)
    {
        try
        {
            await socket.ConnectAsync(address, cancellationToken);
            return new Transport(new NetworkStream(socket, ownsSocket: true), isPrivate, ServerCertificate: null);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static void WatchForDeath(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveIntervalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
        if (OperatingSystem.IsLinux())
        {
            socket.SetRawSocketOption(TcpLevel, TcpUserTimeoutOption, BitConverter.GetBytes(UserTimeoutMilliseconds));
        }
    }
}
