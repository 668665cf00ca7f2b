using System.Net.Sockets;

namespace NLDS.BackupAgent.Testing;

/// <summary>One client's connection through a <see cref="TcpProxy"/>, and the connection to the server that it stands for.</summary>
internal sealed class ProxiedConnection(Socket client) : IDisposable
{
    private const int PieceBytes = 64 * 1024;

    private readonly CancellationTokenSource end = new();
    private readonly Socket server = new(SocketType.Stream, ProtocolType.Tcp);

    public async Task RunAsync(string host, int port, ProxyDirection toServer, ProxyDirection toClient)
    {
        try
        {
            client.NoDelay = server.NoDelay = true;
            await server.ConnectAsync(host, port, end.Token);
            await Task.WhenAll(PumpAsync(client, server, toServer), PumpAsync(server, client, toClient));
        }
        catch (Exception problem) when (problem is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            Reset(); // one side broke, so the other one shall see it
        }
    }

    /// <summary>Ends both halves with a reset, without a goodbye.</summary>
    public void Reset()
    {
        end.Cancel();
        client.Close(timeout: 0);
        server.Close(timeout: 0);
    }

    /// <summary>The token source stays: a reset may come at any time, and without a timer it holds nothing.</summary>
    public void Dispose()
    {
        client.Dispose();
        server.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to, ProxyDirection direction)
    {
        var buffer = new byte[PieceBytes];
        try
        {
            int count;
            while ((count = await from.ReceiveAsync(buffer, end.Token)) > 0)
            {
                for (var passed = 0; passed < count;)
                {
                    var piece = direction.Piece(count - passed);
                    await direction.PassAsync(piece, end.Token);
                    var (allowed, endsQuietly) = direction.Allow(piece);
                    await SendAsync(to, buffer.AsMemory(passed, allowed));
                    passed += piece;
                    if (allowed < piece)
                    {
                        if (endsQuietly)
                        {
                            to.Shutdown(SocketShutdown.Send);
                            return;
                        }

                        throw new OperationCanceledException("Cut after as many bytes as a test wanted.");
                    }
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            Reset(); // wakes the other direction
            throw;
        }
    }

    private async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await to.SendAsync(bytes, end.Token)..];
        }
    }
}
