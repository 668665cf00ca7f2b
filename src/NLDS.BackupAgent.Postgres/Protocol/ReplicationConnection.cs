using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Authentication;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// A connection to a WAL sender. It does one thing at a time: a query, a WAL stream or a base backup. Disposing it abandons whatever goes on, which
/// ends a base backup on the server too. The commands are extension methods in this folder.
/// </summary>
internal sealed class ReplicationConnection : IAsyncDisposable
{
    /// <summary>Nobody waits longer for a goodbye.</summary>
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    private readonly ConnectionSettings settings;
    private readonly Transport transport;
    private readonly Dictionary<string, string> parameters = [];
    private bool isIdle;

    /// <summary>Why there is no connection any more, although whoever asked last was told something else.</summary>
    private string? lost;

    private ReplicationConnection(ConnectionSettings settings, Transport transport)
    {
        this.settings = settings;
        this.transport = transport;
        Reader = new MessageReader(transport.Stream);
        Writer = new MessageWriter(transport.Stream, settings.Time);
    }

    /// <summary>As the server prints it, such as <c>15.18 (Debian 15.18-0+deb12u1)</c>.</summary>
    public string ServerVersion => parameters.GetValueOrDefault("server_version")
        ?? throw new ProtocolException("The server did not tell its version.");

    public int ServerMajorVersion { get; private set; }

    /// <summary>The WAL sender's process on the server, as pg_stat_replication and the server's log call it.</summary>
    public int BackendProcessId { get; private set; }

    public bool IsEncrypted => transport.IsEncrypted;

    /// <summary>What the server reported of its settings, kept current.</summary>
    public IReadOnlyDictionary<string, string> Parameters => parameters;

    /// <summary>How long a read may wait for the server; null while somebody else watches over its silence.</summary>
    internal TimeSpan? Patience { get; set; }

    internal MessageReader Reader { get; }

    internal MessageWriter Writer { get; }

    /// <summary>Connects, encrypts as the sslmode says, authenticates, and waits until the server takes commands.</summary>
    /// <exception cref="ConnectionLostException">Nobody answered, or not in time.</exception>
    /// <exception cref="AuthenticationException">TLS or authentication failed on our side.</exception>
    /// <exception cref="PostgresServerException">The server refused.</exception>
    public static async Task<ReplicationConnection> OpenAsync(ConnectionSettings settings, CancellationToken cancellationToken)
    {
        ConnectionAttempts.Validate(settings);
        using var timeout = new CancellationTokenSource(settings.ConnectTimeout, settings.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var attempts = ConnectionAttempts.For(settings);
            for (var i = 0; ; i++)
            {
                try
                {
                    return await OpenAsync(settings, attempts[i], either.Token);
                }
                catch (Exception problem) when (i + 1 < attempts.Count && ConnectionAttempts.MayDependOnEncryption(problem))
                {
                    // The next attempt differs in encryption only, and it may be what the server wants.
                }
            }
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ConnectionLostException($"{settings} did not accept a connection within {settings.ConnectTimeout.TotalSeconds} s.");
        }
    }

    /// <summary>Sends the startup packet over an established transport and authenticates. Owns the transport from here on.</summary>
    internal static async Task<ReplicationConnection> StartAsync(
        ConnectionSettings settings, Transport transport, CancellationToken cancellationToken)
    {
        var connection = new ReplicationConnection(settings, transport);
        try
        {
            await connection.Writer.SendAsync(StartupPacket.For(settings), cancellationToken);
            await connection.AuthenticateAsync(cancellationToken);
            connection.Patience = settings.AnswerTimeout;
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a command, or several with semicolons between them, and returns what each of them answered.</summary>
    public async Task<IReadOnlyList<ResultSet>> QueryAsync(string command, CancellationToken cancellationToken)
    {
        await SendCommandAsync(command, cancellationToken);
        var results = new List<ResultSet>();
        while (await ReceiveResultAsync(cancellationToken) is { } result)
        {
            results.Add(result);
        }

        return results;
    }

    public async ValueTask DisposeAsync()
    {
        if (isIdle)
        {
            using var deadline = new CancellationTokenSource(FarewellTime, settings.Time);
            try
            {
                await Writer.SendAsync(MessageBuilder.Terminate(), deadline.Token);
            }
            catch (Exception problem) when (problem is ConnectionLostException or OperationCanceledException)
            {
                // The goodbye is a courtesy to the server's log.
            }
        }

        isIdle = false;
        await transport.Stream.DisposeAsync();
        transport.ServerCertificate?.Dispose();
    }

    /// <summary>Sends a query; its answers are for the caller to receive, up to ReadyForQuery.</summary>
    /// <exception cref="ConnectionLostException">The connection broke, if only behind an error that the caller goes on after.</exception>
    internal async Task SendCommandAsync(string command, CancellationToken cancellationToken)
    {
        if (lost is not null)
        {
            throw new ConnectionLostException(lost);
        }

        if (!isIdle)
        {
            throw new InvalidOperationException("This connection is busy. Open another one.");
        }

        isIdle = false;
        await Writer.SendAsync(MessageBuilder.Query(command), cancellationToken);
    }

    /// <summary>The next message that is an answer; notices, parameters and notifications are dealt with on the way.</summary>
    internal ValueTask<ServerMessage> ReceiveAsync(CancellationToken cancellationToken) =>
        TryReceive(out var message) ? new(message) : ReceiveFromWireAsync(cancellationToken);

    /// <summary>The same for a message that is in the buffer already, as most of a stream's are.</summary>
    internal bool TryReceive(out ServerMessage message)
    {
        while (Reader.TryTake(out message))
        {
            if (!TakesAside(message))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Receives one whole result, or null when the server is ready for the next query.</summary>
    /// <param name="result">The result whose RowDescription was received already, if any.</param>
    internal async Task<ResultSet?> ReceiveResultAsync(CancellationToken cancellationToken, ResultSet? result = null)
    {
        while (true)
        {
            var message = await ReceiveAsync(cancellationToken);
            switch (message.Type)
            {
                case (byte)'T': // RowDescription
                    result = ResultSet.Describe(message.Body.Span);
                    break;
                case (byte)'D' when result is not null: // DataRow
                    result.AddRow(message.Body.Span);
                    break;
                case (byte)'C': // CommandComplete
                    result ??= ResultSet.WithoutRows();
                    result.CommandTag = new BodyReader(message.Body.Span).CString();
                    return result;
                case (byte)'I': // EmptyQueryResponse
                    return ResultSet.WithoutRows();
                case (byte)'Z': // ReadyForQuery
                    isIdle = true;
                    return null;
                case (byte)'E': // ErrorResponse
                    throw await FailAsync(message, cancellationToken);
                default:
                    throw ProtocolException.Unexpected(message.Type, "a query");
            }
        }
    }

    /// <summary>Makes an exception of an ErrorResponse, once the server takes commands again or is gone.</summary>
    internal async Task<PostgresServerException> FailAsync(ServerMessage error, CancellationToken cancellationToken)
    {
        var failure = new PostgresServerException(PostgresNotice.Parse(error.Body.Span));
        if (failure.EndsConnection)
        {
            lost = failure.Message;
            return failure;
        }

        try
        {
            await ReceiveReadyAsync(cancellationToken);
        }
        catch (ConnectionLostException gone)
        {
            // The server's own words say more than the broken connection.
            lost = gone.Message;
        }

        return failure;
    }

    /// <summary>The reader of a stream has met ReadyForQuery.</summary>
    internal void BecomeIdle() => isIdle = true;

    /// <summary>Skips everything up to ReadyForQuery.</summary>
    internal async Task ReceiveReadyAsync(CancellationToken cancellationToken)
    {
        while ((await ReceiveAsync(cancellationToken)).Type != (byte)'Z')
        {
            // Rows and copy data of a command that is over already.
        }

        isIdle = true;
    }

    private static async Task<ReplicationConnection> OpenAsync(
        ConnectionSettings settings, Encryption encryption, CancellationToken cancellationToken)
    {
        var transport = await Transport.ConnectAsync(settings, cancellationToken);
        try
        {
            if (encryption != Encryption.Never)
            {
                transport = await TlsUpgrade.UpgradeIfOfferedAsync(transport, settings, cancellationToken);
            }

            if (encryption == Encryption.Always && !transport.IsEncrypted)
            {
                throw new AuthenticationException(
                    $"{settings} has no TLS, and SslMode is {settings.SslMode}. Turn on ssl in postgresql.conf or choose another SslMode.");
            }
        }
        catch
        {
            await transport.Stream.DisposeAsync();
            throw;
        }

        return await StartAsync(settings, transport, cancellationToken);
    }

    private async Task AuthenticateAsync(CancellationToken cancellationToken)
    {
        var authentication = new Authentication(settings, transport, Writer);
        while (true)
        {
            var message = await ReceiveAsync(cancellationToken);
            switch (message.Type)
            {
                case (byte)'R': // Authentication…
                    await authentication.AnswerAsync(message.Body, cancellationToken);
                    if (authentication.IsComplete)
                    {
                        Reader.LiftLimit();
                    }

                    break;
                case (byte)'K' when authentication.IsComplete: // BackendKeyData
                    BackendProcessId = new BodyReader(message.Body.Span).Int32();
                    break;
                case (byte)'Z' when authentication.IsComplete: // ReadyForQuery
                    ServerMajorVersion = MajorOf(ServerVersion);
                    isIdle = true;
                    return;
                case (byte)'E': // ErrorResponse; fatal whatever its severity
                    throw new PostgresServerException(PostgresNotice.Parse(message.Body.Span));
                default:
                    throw ProtocolException.Unexpected(message.Type, "the start of the connection");
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ServerMessage> ReceiveFromWireAsync(CancellationToken cancellationToken)
    {
        ServerMessage message;
        while (!TryReceive(out message))
        {
            await FillAsync(cancellationToken);
        }

        return message;
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (Patience is not { } patience)
        {
            await Reader.FillAsync(cancellationToken);
            return;
        }

        using var limit = new CancellationTokenSource(patience, settings.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            await Reader.FillAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ConnectionLostException($"{settings} has not said anything for {patience.TotalSeconds:F0} s.");
        }
    }

    /// <summary>Messages that may come at any time and answer nothing.</summary>
    private bool TakesAside(ServerMessage message)
    {
        switch (message.Type)
        {
            case (byte)'N': // NoticeResponse
                settings.OnNotice?.Invoke(PostgresNotice.Parse(message.Body.Span));
                return true;
            case (byte)'S': // ParameterStatus
                var fields = new BodyReader(message.Body.Span);
                parameters[fields.CString()] = fields.CString();
                return true;
            case (byte)'A': // NotificationResponse
                return true;
            default:
                return false;
        }
    }

    private static int MajorOf(string version)
    {
        var digits = version.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : version.Length;
        return int.TryParse(version.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            ? major
            : throw new ProtocolException($"The server calls its version '{version}', which does not begin with a number.");
    }
}
