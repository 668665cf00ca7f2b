using System.Globalization;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// A base backup on its way: events in the same order and with the same content whatever the server's version. Ends with
/// <see cref="BaseBackupEventKind.End"/>, or with the exception that makes it worthless. To abandon it, dispose the connection.
/// </summary>
internal sealed class BaseBackupStream
{
    private readonly ReplicationConnection connection;
    private readonly BackupFraming framing;
    private bool isOver;

    private BaseBackupStream(ReplicationConnection connection, ResultSet start, IReadOnlyList<BackupTablespace> tablespaces)
    {
        this.connection = connection;
        StartLsn = Lsn.Parse(start.Required(0, "recptr"));
        StartTimeline = ReplicationCommands.ParseTimeline(start.Required(0, "tli"));
        Tablespaces = tablespaces;
        framing = connection.ServerMajorVersion >= 15 ? new SingleCopyFraming() : new CopyPerArchiveFraming(tablespaces);
    }

    /// <summary>Replay begins here.</summary>
    public Lsn StartLsn { get; }

    public uint StartTimeline { get; }

    /// <summary>In the order of their archives, the data directory last.</summary>
    public IReadOnlyList<BackupTablespace> Tablespaces { get; }

    internal static async Task<BaseBackupStream> StartAsync(
        ReplicationConnection connection, BaseBackupOptions options, CancellationToken cancellationToken)
    {
        await connection.SendCommandAsync(options.ToCommand(connection.ServerMajorVersion), cancellationToken);
        var start = await ReceiveHeaderAsync(connection, cancellationToken);
        var rows = await ReceiveHeaderAsync(connection, cancellationToken);
        var tablespaces = new List<BackupTablespace>();
        for (var row = 0; row < rows.Rows.Count; row++)
        {
            var size = rows.Text(row, "size");
            tablespaces.Add(new BackupTablespace(
                rows.Text(row, "spcoid"), rows.Text(row, "spclocation"), size is null ? null : long.Parse(size, CultureInfo.InvariantCulture)));
        }

        connection.Reader.ExpectBulk();
        return new BaseBackupStream(connection, start, tablespaces);
    }

    /// <summary>The next event. After the end there is none.</summary>
    /// <exception cref="PostgresServerException">
    /// The server gave up, or <see cref="SqlStates.DataCorrupted"/> when it found damaged pages, which it says only after the last byte.
    /// </exception>
    public ValueTask<BaseBackupEvent> ReadAsync(CancellationToken cancellationToken)
    {
        if (isOver)
        {
            throw new InvalidOperationException("This base backup is over. Start another one.");
        }

        if (framing.TryTakePending(out var pending))
        {
            return new(pending);
        }

        return connection.TryReceive(out var message)
            ? message.Type == (byte)'d' ? new(framing.Interpret(message.Body)) : InterpretAsync(message, cancellationToken)
            : ReadFromWireAsync(cancellationToken);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BaseBackupEvent> ReadFromWireAsync(CancellationToken cancellationToken) =>
        await InterpretAsync(await connection.ReceiveAsync(cancellationToken), cancellationToken);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BaseBackupEvent> InterpretAsync(ServerMessage message, CancellationToken cancellationToken)
    {
        switch (message.Type)
        {
            case (byte)'d': // CopyData
                return framing.Interpret(message.Body);
            case (byte)'H': // CopyOutResponse
                framing.BeginCopy();
                return await ReadAsync(cancellationToken);
            case (byte)'c': // CopyDone
                framing.EndCopy();
                return await ReadAsync(cancellationToken);
            case (byte)'T': // RowDescription of the end position
                isOver = true;
                return await ReceiveEndAsync(message, cancellationToken);
            case (byte)'E': // ErrorResponse
                isOver = true;
                throw await connection.FailAsync(message, cancellationToken);
            default:
                throw ProtocolException.Unexpected(message.Type, "a base backup");
        }
    }

    /// <summary>The end position comes before the server's verdict on page checksums, so it counts only once everything is said.</summary>
    private async Task<BaseBackupEvent> ReceiveEndAsync(ServerMessage description, CancellationToken cancellationToken)
    {
        var end = await connection.ReceiveResultAsync(cancellationToken, ResultSet.Describe(description.Body.Span));
        while (await connection.ReceiveResultAsync(cancellationToken) is not null)
        {
            // BASE_BACKUP's own completion.
        }

        framing.RequireComplete();
        return new BaseBackupEvent
        {
            Kind = BaseBackupEventKind.End,
            EndLsn = Lsn.Parse(end!.Required(0, "recptr")),
            EndTimeline = ReplicationCommands.ParseTimeline(end.Required(0, "tli")),
        };
    }

    private static async Task<ResultSet> ReceiveHeaderAsync(ReplicationConnection connection, CancellationToken cancellationToken) =>
        await connection.ReceiveResultAsync(cancellationToken) is { Rows.Count: > 0 } result
            ? result
            : throw new ProtocolException("The server began a base backup without saying where it starts and what it holds.");
}
