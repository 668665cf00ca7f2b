using System.Net;
using System.Net.Sockets;

namespace NLDS.BackupAgent.Testing;

/// <summary>
/// Stands on loopback between a client and a server and does what networks do: cut, stall, delay, refuse. Each direction has faults of its own; they
/// hold for connections that exist and for those to come.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly string host;
    private volatile int port;
    private readonly Lock gate = new();
    private readonly HashSet<ProxiedConnection> connections = [];
    private TcpListener listener;
    private Task accepting;

    private TcpProxy(string host, int port)
    {
        this.host = host;
        this.port = port;
        (listener, accepting) = Listen(0);
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Where clients connect, on 127.0.0.1.</summary>
    public int Port { get; }

    public ProxyDirection ToServer { get; } = new();

    public ProxyDirection ToClient { get; } = new();

    /// <summary>Connections that were accepted since the start.</summary>
    public int Accepted { get; private set; }

    public int OpenConnections
    {
        get
        {
            lock (gate)
            {
                return connections.Count;
            }
        }
    }

    public static TcpProxy Start(string host, int port) => new(host, port);

    /// <summary>New connections go to another server on the same host.</summary>
    public void Redirect(int toPort) => port = toPort;

    /// <summary>Resets every connection; new ones are welcome.</summary>
    public void Cut()
    {
        ProxiedConnection[] victims;
        lock (gate)
        {
            victims = [.. connections];
        }

        foreach (var victim in victims)
        {
            victim.Reset();
        }
    }

    /// <summary>New connections are refused as if nothing listened here.</summary>
    public async Task RefuseAsync()
    {
        listener.Stop();
        await accepting;
    }

    /// <summary>Ends <see cref="RefuseAsync"/>.</summary>
    public void Welcome() => (listener, accepting) = Listen(Port);

    public async ValueTask DisposeAsync()
    {
        await RefuseAsync();
        Cut();
        ToServer.Resume();
        ToClient.Resume();
        listener.Dispose();
    }

    private (TcpListener Listener, Task Accepting) Listen(int at)
    {
        var fresh = new TcpListener(IPAddress.Loopback, at);
        fresh.Start();
        return (fresh, AcceptAsync(fresh));
    }

    private async Task AcceptAsync(TcpListener from)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await from.AcceptSocketAsync();
            }
            catch (Exception problem) when (problem is SocketException or ObjectDisposedException)
            {
                return; // the listener was stopped
            }

            Accepted++;
            _ = ServeAsync(new ProxiedConnection(client));
        }
    }

    private async Task ServeAsync(ProxiedConnection connection)
    {
        lock (gate)
        {
            connections.Add(connection);
        }

        using (connection)
        {
            await connection.RunAsync(host, port, ToServer, ToClient);
        }

        lock (gate)
        {
            connections.Remove(connection);
        }
    }
}
