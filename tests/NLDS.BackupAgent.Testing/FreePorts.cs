using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace NLDS.BackupAgent.Testing;

/// <summary>
/// Ports of loopback that nobody listens on now, none of them twice. They lie below those that the kernel gives to clients: a client that looks for a server that has
/// just died could otherwise be given the server's own port, even connect to itself there, and the server could not come back.
/// </summary>
public static class FreePorts
{
    private const int Lowest = 10_000;

    private static readonly HashSet<int> Taken = [];

    /// <summary>The first that clients are given (ip(7), ip_local_port_range).</summary>
    private static readonly int End = int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split((char[])['\t', ' '])[0], CultureInfo.InvariantCulture);

    public static int[] Take(int count)
    {
        lock (Taken)
        {
            // At random, as other processes look here too.
            int[] ports = [.. Enumerable.Range(Lowest, End - Lowest).OrderBy(_ => Random.Shared.Next()).Where(port => !Taken.Contains(port) && IsFree(port)).Take(count)];
            Taken.UnionWith(ports);
            return ports.Length == count ? ports : throw new InvalidOperationException($"There are no {count} free ports from {Lowest} to {End}.");
        }
    }

    private static bool IsFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return true;
        }
        catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
