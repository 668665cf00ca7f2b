using System.Net;
using System.Net.Sockets;

namespace NLDS.BackupAgent.Testing;

/// <summary>Ports of loopback that nobody listens on now. Another process may be quicker, so a server that cannot bind is started again on others.</summary>
public static class FreePorts
{
    public static int[] Take(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        int[] ports = [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }
}
