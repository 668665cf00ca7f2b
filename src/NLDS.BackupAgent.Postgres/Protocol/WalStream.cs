using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// WAL as the server flushes it. One reader at a time; status may be sent by anybody meanwhile. A read may be cancelled and tried again without loss,
/// except in the handshake at the end of a timeline, after which the connection is of no more use. The stream does not answer keepalives by itself: only its owner knows what is durable.
/// </summary>
internal sealed class WalStream
{
    private readonly ReplicationConnection connection;
    private WalMessage? ending;
    private volatile bool isOpen;

    private WalStream(ReplicationConnection connection) => this.connection = connection;

    /// <summary>Sends START_REPLICATION and waits for the server's first word.</summary>
    internal static async Task<WalStream> StartAsync(
        ReplicationConnection connection, string? slot, Lsn start, uint timeline, CancellationToken cancellationToken)
    {
        var ofSlot = slot is null ? "" : $"SLOT {ReplicationCommands.QuoteName(slot)} ";
        await connection.SendCommandAsync($"START_REPLICATION {ofSlot}PHYSICAL {start} TIMELINE {timeline}", cancellationToken);
        var stream = new WalStream(connection);
        var first = await connection.ReceiveAsync(cancellationToken);
        switch (first.Type)
        {
            case (byte)'W': // CopyBothResponse
                connection.Reader.ExpectBulk();
                connection.Patience = null; // an idle server is silent; whoever owns the stream asks it whether it lives
                stream.isOpen = true;
                return stream;
            case (byte)'T': // the start is exactly the switch point: no copy at all, the next timeline's row comes at once
                stream.ending = await stream.ReceiveNextTimelineAsync(first, cancellationToken);
                return stream;
            case (byte)'E': // ErrorResponse
                throw await connection.FailAsync(first, cancellationToken);
            default:
                throw ProtocolException.Unexpected(first.Type, "START_REPLICATION");
        }
    }

    /// <summary>The next message. After <see cref="WalMessageKind.EndOfTimeline"/> or <see cref="WalMessageKind.ServerShutdown"/> there is none.</summary>
    /// <exception cref="PostgresServerException">The server refuses, which it may do after it began: the WAL was removed, or was never there.</exception>
    /// <exception cref="ConnectionLostException">The connection broke without a goodbye.</exception>
    public ValueTask<WalMessage> ReadAsync(CancellationToken cancellationToken)
    {
        if (ending is { } end)
        {
            ending = null;
            return new(end);
        }

        if (!isOpen)
        {
            throw new InvalidOperationException("This WAL stream is over. Start another one.");
        }

        return connection.TryReceive(out var message)
            ? message.Type == (byte)'d' ? new(Parse(message.Body)) : InterpretAsync(message, cancellationToken)
            : ReadFromWireAsync(cancellationToken);
    }

    /// <summary>
    /// Reports positions, each the last byte plus one. <paramref name="flush"/> lets the server remove WAL, so everything before it must be durable.
    /// Does nothing once the stream is over.
    /// </summary>
    public ValueTask SendStatusAsync(Lsn write, Lsn flush, Lsn apply, bool replyRequested, CancellationToken cancellationToken) =>
        isOpen ? connection.Writer.SendStatusAsync(write, flush, apply, replyRequested, cancellationToken) : ValueTask.CompletedTask;

    /// <summary>Ends the stream from our side and drops what is still on its way. The connection is idle afterwards. Not beside a read.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!isOpen)
        {
            return;
        }

        isOpen = false;
        await connection.Writer.SendAsync(MessageBuilder.CopyDone(), cancellationToken);
        while (true)
        {
            var message = await connection.ReceiveAsync(cancellationToken);
            switch (message.Type)
            {
                case (byte)'Z': // ReadyForQuery
                    connection.BecomeIdle();
                    return;
                case (byte)'E': // ErrorResponse
                    throw await connection.FailAsync(message, cancellationToken);
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<WalMessage> ReadFromWireAsync(CancellationToken cancellationToken) =>
        await InterpretAsync(await connection.ReceiveAsync(cancellationToken), cancellationToken);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<WalMessage> InterpretAsync(ServerMessage message, CancellationToken cancellationToken)
    {
        switch (message.Type)
        {
            case (byte)'d': // CopyData
                return Parse(message.Body);
            case (byte)'c': // CopyDone: the timeline ends here
                return await EndTimelineAsync(cancellationToken);
            case (byte)'C': // CommandComplete "COPY 0" without CopyDone: the server goes down
                isOpen = false;
                return new WalMessage { Kind = WalMessageKind.ServerShutdown };
            case (byte)'E': // ErrorResponse
                isOpen = false;
                throw await connection.FailAsync(message, cancellationToken);
            default:
                throw ProtocolException.Unexpected(message.Type, "a WAL stream");
        }
    }

    private static WalMessage Parse(ReadOnlyMemory<byte> body)
    {
        var fields = new BodyReader(body.Span);
        switch (fields.Byte())
        {
            case (byte)'w': // XLogData
                var data = new WalMessage
                {
                    Kind = WalMessageKind.Data,
                    Start = new Lsn((ulong)fields.Int64()),
                    ServerEnd = new Lsn((ulong)fields.Int64()),
                    SentAt = PostgresTime.From(fields.Int64()),
                    Payload = body[^fields.Rest.Length..],
                };
                return data.Start.Value <= ulong.MaxValue - (ulong)data.Payload.Length
                    ? data
                    : throw new ProtocolException($"The server sent WAL at {data.Start}, where there can be none.");
            case (byte)'k': // keepalive
                return new WalMessage
                {
                    Kind = WalMessageKind.Keepalive,
                    ServerEnd = new Lsn((ulong)fields.Int64()),
                    SentAt = PostgresTime.From(fields.Int64()),
                    ReplyRequested = fields.Byte() != 0,
                };
            default:
                throw ProtocolException.Unexpected(body.Span[0], "a WAL stream's copy");
        }
    }

    private async Task<WalMessage> EndTimelineAsync(CancellationToken cancellationToken)
    {
        isOpen = false;
        await connection.Writer.SendAsync(MessageBuilder.CopyDone(), cancellationToken);
        return await ReceiveNextTimelineAsync(await connection.ReceiveAsync(cancellationToken), cancellationToken);
    }

    /// <summary>Receives T, D, C START_STREAMING, C START_REPLICATION, Z.</summary>
    private async Task<WalMessage> ReceiveNextTimelineAsync(ServerMessage first, CancellationToken cancellationToken)
    {
        if (first.Type == (byte)'E')
        {
            throw await connection.FailAsync(first, cancellationToken);
        }

        if (first.Type != (byte)'T')
        {
            throw ProtocolException.Unexpected(first.Type, "the end of a timeline");
        }

        var row = await connection.ReceiveResultAsync(cancellationToken, ResultSet.Describe(first.Body.Span))
            ?? throw new ProtocolException("The server ended a timeline without naming the next one.");
        while (await connection.ReceiveResultAsync(cancellationToken) is not null)
        {
            // The command's own completion follows the row's.
        }

        return new WalMessage
        {
            Kind = WalMessageKind.EndOfTimeline,
            NextTimeline = ReplicationCommands.ParseTimeline(row.Required(0, "next_tli")),
            SwitchPoint = ReplicationCommands.ParseLsn(row.Required(0, "next_tli_startpos")),
        };
    }
}
