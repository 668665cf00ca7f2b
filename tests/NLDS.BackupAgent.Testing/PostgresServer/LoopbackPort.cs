using System.Net;
using System.Net.Sockets;

namespace NLDS.BackupAgent.Testing;

internal static class LoopbackPort
{
    /// <summary>A port that was free a moment ago. Somebody may take it before the server does, so callers try again with another.</summary>
    public static int Free()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
