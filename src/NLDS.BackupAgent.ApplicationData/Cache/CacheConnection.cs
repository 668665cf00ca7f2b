using System.Buffers;
using System.Buffers.Text;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace NLDS.BackupAgent.ApplicationData.Cache;

/// <summary>
/// One connection to Redis that sends commands by the hundred and reads their answers in order, every wait with a deadline. A client library cannot take its place: the
/// one at hand knows no ACL user, no Unix socket and no deadline.
/// </summary>
internal sealed class CacheConnection : IAsyncDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(15);

    /// <summary>The longest silence of a healthy server.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    /// <summary>One answer that is kept; base64 makes it a third larger, and it must fit into <see cref="Archive.DocumentWriter.LargestEntryBytes"/> with its value.</summary>
    public const int LargestBulkBytes = 16 << 20;

    private const int LargestLine = 64 << 10;
    private const int MostItems = 1 << 20;
    private const int DeepestNesting = 4;

    private readonly Stream stream;
    private readonly string description;
    private readonly TimeProvider clock;
    private readonly ArrayBufferWriter<byte> requests = new(64 << 10);
    private readonly byte[] buffer = new byte[128 << 10];
    private int start;
    private int end;

    private CacheConnection(Stream stream, string description, TimeProvider clock) => (this.stream, this.description, this.clock) = (stream, description, clock);

    /// <summary>Whether this is a failure of the connection or the server, rather than a defect of ours.</summary>
    public static bool IsExpected(Exception failure) => failure is CacheException or InvalidDataException;

    /// <exception cref="CacheException">Nobody answers, or the server refuses.</exception>
    public static async Task<CacheConnection> OpenAsync(CacheSettings settings, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await OpenWithinAsync(settings, clock, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CacheException($"Redis at {settings} did not answer within {ConnectTimeout.TotalSeconds} s. Check Redis:Host and Redis:Port.");
        }
        catch (Exception failure) when (failure is SocketException or IOException or AuthenticationException or CryptographicException or UnauthorizedAccessException)
        {
            throw new CacheException(
                $"Redis at {settings} cannot be reached: {failure.Message.TrimEnd('.')}. Check Redis:Host and Redis:Port{(settings.Tls ? ", and Redis:RootCertificate, Redis:ClientCertificate and Redis:CertificateName" : "")}.",
                failure);
        }
    }

    /// <summary>Over a connection that is there already.</summary>
    internal static CacheConnection Over(Stream stream, string description, TimeProvider clock) => new(stream, description, clock);

    /// <summary>Adds a command to those that <see cref="SendAsync"/> sends together.</summary>
    public void Enqueue(ReadOnlySpan<byte> command, params ReadOnlySpan<byte[]> arguments)
    {
        WriteHeader((byte)'*', arguments.Length + 1);
        WriteBulk(command);
        foreach (var argument in arguments)
        {
            WriteBulk(argument);
        }
    }

    public async Task SendAsync(CancellationToken cancellationToken)
    {
        await WithinAsync(async token =>
        {
            await stream.WriteAsync(requests.WrittenMemory, token);
            return 0;
        }, cancellationToken);
        requests.ResetWrittenCount();
    }

    /// <summary>The next answer, in the order of the commands. An error is an answer too.</summary>
    /// <exception cref="CacheException">The connection broke.</exception>
    public async ValueTask<CacheReply> ReadAsync(CancellationToken cancellationToken) => await ReadAsync(0, cancellationToken);

    /// <exception cref="CacheException">The server answered with an error.</exception>
    public async Task<CacheReply> AskAsync(string command, CancellationToken cancellationToken, params IReadOnlyList<byte[]> arguments)
    {
        Enqueue(Encoding.ASCII.GetBytes(command), [.. arguments]);
        await SendAsync(cancellationToken);
        var reply = await ReadAsync(cancellationToken);
        return reply.Error is null ? reply : throw new CacheException($"Redis at {description} refused {command}: {reply.Error.TrimEnd('.')}.{Advice(reply.Error)}");
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private static async Task<CacheConnection> OpenWithinAsync(CacheSettings settings, TimeProvider clock, CancellationToken cancellationToken)
    {
        var socket = settings.Host.StartsWith('/')
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream stream;
        try
        {
            await (settings.Host.StartsWith('/')
                ? socket.ConnectAsync(new UnixDomainSocketEndPoint(settings.Host), cancellationToken).AsTask()
                : socket.ConnectAsync(settings.Host, settings.Port, cancellationToken).AsTask());
            stream = new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        try
        {
            if (settings.Tls)
            {
                stream = await EncryptAsync(stream, settings, cancellationToken);
            }

            var connection = new CacheConnection(stream, settings.ToString(), clock);
            if (!string.IsNullOrEmpty(settings.Password))
            {
                byte[][] proof = [.. ((string?[])[settings.Username, settings.Password]).OfType<string>().Select(Encoding.UTF8.GetBytes)];
                await connection.AskAsync("AUTH", cancellationToken, proof);
            }

            if (settings.Database != 0)
            {
                await connection.AskAsync("SELECT", cancellationToken, Encoding.ASCII.GetBytes(settings.Database.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            }

            return connection;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    private static async Task<SslStream> EncryptAsync(Stream plain, CacheSettings settings, CancellationToken cancellationToken)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck };
        if (settings.RootCertificate is { } roots)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.ImportFromPemFile(roots);
        }

        var tls = new SslStream(plain);
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = settings.CertificateName ?? settings.Host,
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                CertificateChainPolicy = policy,
                ClientCertificateContext = settings.ClientCertificate is { } path
                    ? SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(path, settings.ClientKey), null, offline: true)
                    : null,
            },
            cancellationToken);
        return tls;
    }

    private async ValueTask<CacheReply> ReadAsync(int depth, CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken);
        if (line.Length == 0 || depth > DeepestNesting)
        {
            throw NotRedis();
        }

        switch (line[0])
        {
            case (byte)'+':
                return new CacheReply { Bytes = line[1..] };
            case (byte)'-':
                return new CacheReply { Error = Encoding.UTF8.GetString(line[1..]) };
            case (byte)':':
                return new CacheReply { Integer = Number(line, long.MaxValue) };
            case (byte)'$':
                var length = Number(line, 512 << 20);
                return length < 0 ? new CacheReply() : await ReadBulkAsync((int)length, cancellationToken);
            case (byte)'*':
                var items = new List<CacheReply>();
                for (var count = Number(line, MostItems); count > 0; count--)
                {
                    items.Add(await ReadAsync(depth + 1, cancellationToken));
                }

                return new CacheReply { Items = items };
            default:
                throw NotRedis();
        }
    }

    private async ValueTask<CacheReply> ReadBulkAsync(int length, CancellationToken cancellationToken)
    {
        // A length is only a claim: room is made as the bytes come.
        var bulk = length <= LargestBulkBytes ? new byte[Math.Min(length, buffer.Length)] : null;
        for (var filled = 0; filled < length;)
        {
            if (bulk is not null && filled == bulk.Length)
            {
                Array.Resize(ref bulk, Math.Min(length, 2 * bulk.Length));
            }

            if (start == end)
            {
                await FillAsync(cancellationToken);
            }

            var count = Math.Min(end - start, (bulk?.Length ?? length) - filled);
            if (bulk is not null)
            {
                buffer.AsSpan(start, count).CopyTo(bulk.AsSpan(filled));
            }

            start += count;
            filled += count;
        }

        await ReadLineAsync(cancellationToken);
        return bulk is null ? new CacheReply { PassedOverBytes = length } : new CacheReply { Bytes = bulk };
    }

    /// <summary>Without its end.</summary>
    private async ValueTask<byte[]> ReadLineAsync(CancellationToken cancellationToken)
    {
        byte[] line = [];
        while (true)
        {
            if (start == end)
            {
                await FillAsync(cancellationToken);
            }

            var newline = buffer.AsSpan(start, end - start).IndexOf((byte)'\n');
            var part = buffer.AsSpan(start, newline < 0 ? end - start : newline);
            start += newline < 0 ? part.Length : newline + 1;
            line = line.Length == 0 ? part.ToArray() : [.. line, .. part];
            if (line.Length > LargestLine)
            {
                throw NotRedis();
            }

            if (newline >= 0)
            {
                return line is [.. var text, (byte)'\r'] ? text : line;
            }
        }
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        (start, end) = (0, 0);
        end = await WithinAsync(token => stream.ReadAsync(buffer, token).AsTask(), cancellationToken);
        if (end == 0)
        {
            throw new CacheException($"Redis at {description} closed the connection.");
        }
    }

    private async Task<int> WithinAsync(Func<CancellationToken, Task<int>> work, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Silence, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await work(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CacheException($"Redis at {description} has not said anything for {Silence.TotalSeconds} s.");
        }
        catch (Exception broken) when (broken is IOException or SocketException)
        {
            throw new CacheException($"The connection to Redis at {description} broke: {broken.Message}", broken);
        }
    }

    private void WriteBulk(ReadOnlySpan<byte> bytes)
    {
        WriteHeader((byte)'$', bytes.Length);
        requests.Write(bytes);
        requests.Write("\r\n"u8);
    }

    private void WriteHeader(byte kind, int number)
    {
        var target = requests.GetSpan(16);
        target[0] = kind;
        Utf8Formatter.TryFormat(number, target[1..], out var digits);
        "\r\n"u8.CopyTo(target[(1 + digits)..]);
        requests.Advance(digits + 3);
    }

    private long Number(ReadOnlySpan<byte> line, long most) =>
        Utf8Parser.TryParse(line[1..], out long number, out var used) && used == line.Length - 1 && number <= most && number >= -most ? number : throw NotRedis();

    private CacheException NotRedis() => new($"What answers at {description} does not speak Redis's protocol. Check Redis:Host and Redis:Port, and whether it wants TLS (Redis:Tls).");

    private static string Advice(string error) => error.Split(' ', 2)[0] switch
    {
        "NOAUTH" or "WRONGPASS" => " Set Redis:Username and Redis:Password, or ApplicationData:Redis:….",
        "NOPERM" => " Give the user +scan +dump +pttl +select, and +restore for restores, on its keys.",
        _ => "",
    };
}
