using System.Net;
using System.Net.Sockets;

namespace NLDS.BackupAgent.Redis.Protocol;

/// <summary>
/// One authenticated connection for commands and for replication. StackExchange.Redis cannot take its place: it knows no ACL user, no deadline and no PSYNC in
/// the version at hand.
/// </summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    /// <summary>Name lookup, TCP, TLS and AUTH.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Every command that is sent here is answered at once by a healthy server; one that blocks longer is not healthy.</summary>
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(30);

    /// <summary>After 15 s of silence, and three unanswered probes 5 s apart, the other side is gone.</summary>
    private const int KeepAliveSeconds = 15;
    private const int KeepAliveIntervalSeconds = 5;
    private const int KeepAliveProbes = 3;

    private readonly Stream stream;
    private readonly TimeProvider clock;

    private RedisConnection(Stream stream, ServerAddress address, int localPort, TimeProvider clock)
    {
        this.stream = stream;
        this.clock = clock;
        Address = address;
        LocalPort = localPort;
        Reader = new RespReader(stream, clock);
    }

    public ServerAddress Address { get; }

    public int LocalPort { get; }

    public RespReader Reader { get; }

    /// <exception cref="ConnectionLostException">Nobody answers.</exception>
    /// <exception cref="RedisErrorException">The server refuses the user or its password.</exception>
    public static async Task<RedisConnection> OpenAsync(RedisOptions options, ServerAddress address, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await OpenWithinAsync(options, address, clock, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ConnectionLostException($"{address} did not answer within {ConnectTimeout.TotalSeconds} s.");
        }
    }

    /// <summary>Asks and waits for the answer, within a deadline.</summary>
    public Task<RespReply> AskAsync(CancellationToken cancellationToken, params IReadOnlyList<string> words) =>
        AskAsync(words[0].ToUpperInvariant(), RespRequest.Encode(words), cancellationToken);

    /// <param name="command">Its name, for messages; never an argument, which may be a secret.</param>
    public async Task<RespReply> AskAsync(string command, ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(CommandTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await SendAsync(request, either.Token);
            return await Reader.ReadReplyAsync(command, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ConnectionLostException($"{Address} did not answer {command} within {CommandTimeout.TotalSeconds} s.");
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(request, cancellationToken);
        }
        catch (IOException problem)
        {
            throw new ConnectionLostException($"The connection to {Address} broke: {problem.Message}", problem);
        }
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private static async Task<RedisConnection> OpenWithinAsync(RedisOptions options, ServerAddress address, TimeProvider clock, CancellationToken cancellationToken)
    {
        var socket = await ConnectAsync(address, cancellationToken);
        var port = (socket.LocalEndPoint as IPEndPoint)?.Port ?? 0;
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            if (options.Tls)
            {
                stream = await TlsClient.WrapAsync(stream, options, address, cancellationToken);
            }

            var connection = new RedisConnection(stream, address, port, clock);
            if (!string.IsNullOrEmpty(options.Password))
            {
                IReadOnlyList<string> auth = options.Username is { } user ? ["AUTH", user, options.Password] : ["AUTH", options.Password];
                await connection.AskAsync("AUTH", RespRequest.Encode(auth), cancellationToken);
            }

            return connection;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    private static async Task<Socket> ConnectAsync(ServerAddress address, CancellationToken cancellationToken)
    {
        SocketException? last = null;
        try
        {
            if (address.IsUnixSocket)
            {
                var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                return await ConnectAsync(local, new UnixDomainSocketEndPoint(address.Host), cancellationToken);
            }

            foreach (var ip in await Dns.GetHostAddressesAsync(address.Host, cancellationToken))
            {
                try
                {
                    var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                    WatchForDeath(socket);
                    return await ConnectAsync(socket, new IPEndPoint(ip, address.Port), cancellationToken);
                }
                catch (SocketException problem)
                {
                    last = problem;
                }
            }
        }
        catch (SocketException unknown)
        {
            last = unknown;
        }

        throw new ConnectionLostException($"Could not connect to {address}: {last?.Message ?? "it has no address"}.", last);
    }

    private static async Task<Socket> ConnectAsync(Socket socket, EndPoint endPoint, CancellationToken cancellationToken)
    {
        try
        {
            await socket.ConnectAsync(endPoint, cancellationToken);
            return socket;
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
    }
}
