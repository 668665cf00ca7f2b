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
    /// <summary>A checkpoint at once writes what a server's memory holds; one that is spread takes a part of checkpoint_timeout, which is a day at most.</summary>
    private static readonly TimeSpan FastCheckpointBound = TimeSpan.FromHours(1);
    private static readonly TimeSpan SpreadCheckpointBound = TimeSpan.FromHours(25);

    /// <summary>Even at MAX_RATE 32 something comes each second; a disk that gives nothing for this long gives nothing more.</summary>
    private static readonly TimeSpan DataBound = TimeSpan.FromMinutes(10);

    private readonly ReplicationConnection connection;
    private readonly BackupFraming framing;
    private bool isOver;

    private BaseBackupStream(ReplicationConnection connection, ResultSet start, IReadOnlyList<BackupTablespace> tablespaces)
    {
        this.connection = connection;
        StartLsn = ReplicationCommands.ParseLsn(start.Required(0, "recptr"));
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
        connection.Patience = options.FastCheckpoint ? FastCheckpointBound : SpreadCheckpointBound;
        await connection.SendCommandAsync(options.ToCommand(connection.ServerMajorVersion), cancellationToken);
        var start = await ReceiveHeaderAsync(connection, cancellationToken);
        var rows = await ReceiveHeaderAsync(connection, cancellationToken);
        var tablespaces = new List<BackupTablespace>();
        for (var row = 0; row < rows.Rows.Count; row++)
        {
            tablespaces.Add(new BackupTablespace(RequireOid(rows.Text(row, "spcoid")), rows.Text(row, "spclocation"), ParseSize(rows.Text(row, "size"))));
        }

        connection.Patience = DataBound;
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
        while (true)
        {
            switch (message.Type)
            {
                case (byte)'d': // CopyData
                    return framing.Interpret(message.Body);
                case (byte)'H': // CopyOutResponse
                    framing.BeginCopy();
                    break;
                case (byte)'c': // CopyDone
                    framing.EndCopy();
                    break;
                case (byte)'T': // RowDescription of the end position
                    isOver = true;
                    return await ReceiveEndAsync(message, cancellationToken);
                case (byte)'E': // ErrorResponse
                    isOver = true;
                    throw await connection.FailAsync(message, cancellationToken);
                default:
                    throw ProtocolException.Unexpected(message.Type, "a base backup");
            }

            if (framing.TryTakePending(out var pending))
            {
                return pending;
            }

            message = await connection.ReceiveAsync(cancellationToken);
        }
    }

    /// <summary>It becomes part of an object's name.</summary>
    private static string? RequireOid(string? oid) => oid is null || (oid.Length > 0 && oid.All(char.IsAsciiDigit))
        ? oid
        : throw new ProtocolException($"The server calls a tablespace '{oid}'; expected a number.");

    private static long? ParseSize(string? size) => size is null ? null
        : long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var kilobytes) ? kilobytes
        : throw new ProtocolException($"The server calls the size of a tablespace '{size}'; expected a number.");

    /// <summary>The end position comes before the server's verdict on page checksums, so it counts only once everything is said.</summary>
    private async Task<BaseBackupEvent> ReceiveEndAsync(ServerMessage description, CancellationToken cancellationToken)
    {
        var end = await connection.ReceiveResultAsync(cancellationToken, ResultSet.Describe(description.Body.Span))
            ?? throw new ProtocolException("The server ended a base backup without saying where it ends.");
        while (await connection.ReceiveResultAsync(cancellationToken) is not null)
        {
            // BASE_BACKUP's own completion.
        }

        framing.RequireComplete();
        return new BaseBackupEvent
        {
            Kind = BaseBackupEventKind.End,
            EndLsn = ReplicationCommands.ParseLsn(end.Required(0, "recptr")),
            EndTimeline = ReplicationCommands.ParseTimeline(end.Required(0, "tli")),
        };
    }

    private static async Task<ResultSet> ReceiveHeaderAsync(ReplicationConnection connection, CancellationToken cancellationToken) =>
        await connection.ReceiveResultAsync(cancellationToken) is { Rows.Count: > 0 } result
            ? result
            : throw new ProtocolException("The server began a base backup without saying where it starts and what it holds.");
}
