using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// Sends whole messages, one at a time, for any number of callers beside one reader. A message that was sent in part cannot be taken back, so a
/// failed or cancelled send makes every later one fail.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A disposed semaphore would leave its waiters waiting; undisposed they get the broken connection.")]
internal sealed class MessageWriter(Stream stream, TimeProvider time)
{
    /// <summary>PostgreSQL counts microseconds from here.</summary>
    private static readonly DateTimeOffset Epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly byte[] status = new byte[39];
    private bool isBroken;

    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            await WriteAsync(message, cancellationToken);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Standby status update; each position is the last byte plus one.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask SendStatusAsync(Lsn write, Lsn flush, Lsn apply, bool replyRequested, CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            Compose(write, flush, apply, replyRequested);
            await WriteAsync(status, cancellationToken);
        }
        finally
        {
            turn.Release();
        }
    }

    private void Compose(Lsn write, Lsn flush, Lsn apply, bool replyRequested)
    {
        status[0] = (byte)'d'; // CopyData
        BinaryPrimitives.WriteInt32BigEndian(status.AsSpan(1), status.Length - 1);
        status[5] = (byte)'r'; // standby status update
        BinaryPrimitives.WriteUInt64BigEndian(status.AsSpan(6), write.Value);
        BinaryPrimitives.WriteUInt64BigEndian(status.AsSpan(14), flush.Value);
        BinaryPrimitives.WriteUInt64BigEndian(status.AsSpan(22), apply.Value);
        BinaryPrimitives.WriteInt64BigEndian(status.AsSpan(30), (time.GetUtcNow() - Epoch).Ticks / TimeSpan.TicksPerMicrosecond);
        status[38] = replyRequested ? (byte)1 : (byte)0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (isBroken)
        {
            throw new ConnectionLostException("The connection to the server is broken since an earlier message could not be sent.");
        }

        isBroken = true;
        try
        {
            await stream.WriteAsync(message, cancellationToken);
            isBroken = false;
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException)
        {
            throw new ConnectionLostException($"The connection to the server broke: {problem.Message}", problem);
        }
    }
}
