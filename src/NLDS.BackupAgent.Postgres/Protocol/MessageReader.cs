using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>
/// Cuts the incoming bytes into messages, each whole and contiguous in one reused buffer. A message stays valid until the next read.
/// A cancelled read loses nothing: the next one goes on where it stopped.
/// </summary>
internal sealed class MessageReader(Stream stream)
{
    /// <summary>A type byte and a length that counts itself.</summary>
    private const int HeaderBytes = 5;

    /// <summary>Enough for every answer but a stream of data.</summary>
    private const int SmallBytes = 8 * 1024;

    /// <summary>Four of the largest WAL messages (128 KiB): few system calls, and little to move when one of them straddles the end.</summary>
    private const int BulkBytes = 512 * 1024;

    /// <summary>PostgreSQL's own limit of a message (MaxAllocSize, 1 GB); beyond it the length is noise.</summary>
    private const int MaximumBytes = 0x3FFFFFFF;

    /// <summary>Before authentication only short messages exist; a foreign service must not make us allocate what its noise spells.</summary>
    private const int MaximumBytesBeforeAuthentication = 64 * 1024;

    private byte[] buffer = new byte[SmallBytes];
    private int start;
    private int end;
    private int limit = MaximumBytesBeforeAuthentication;

    public void LiftLimit() => limit = MaximumBytes;

    /// <summary>Makes room for a stream of data.</summary>
    public void ExpectBulk() => MakeRoom(BulkBytes);

    /// <summary>Takes the next message if all of it is here already.</summary>
    public bool TryTake(out ServerMessage message)
    {
        var available = end - start;
        if (available < HeaderBytes || available < PendingBytes())
        {
            message = default;
            return false;
        }

        var size = PendingBytes();
        message = new ServerMessage(buffer[start], buffer.AsMemory(start + HeaderBytes, size - HeaderBytes));
        start += size;
        return true;
    }

    /// <summary>Reads more bytes from the wire; afterwards a message may or may not be whole.</summary>
    /// <exception cref="ConnectionLostException">The server closed the connection, or the network did.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        PrepareRoom();
        int count;
        try
        {
            count = await stream.ReadAsync(buffer.AsMemory(end), cancellationToken);
        }
        catch (Exception problem) when (problem is IOException or ObjectDisposedException)
        {
            throw new ConnectionLostException($"The connection to the server broke: {problem.Message}", problem);
        }

        if (count == 0)
        {
            throw new ConnectionLostException("The server closed the connection. Its log says why.");
        }

        end += count;
    }

    private void PrepareRoom()
    {
        var available = end - start;
        var wanted = available < HeaderBytes ? HeaderBytes : PendingBytes();
        if (wanted > buffer.Length && available == buffer.Length)
        {
            // A length is only a claim: the buffer grows with what has come, not with what was announced.
            MakeRoom((int)Math.Min(wanted, 2L * buffer.Length));
            return;
        }

        // A read into the last corner of the buffer would be a system call for a few bytes; moving costs less than one message.
        if (start > 0 && buffer.Length - end < Math.Max(wanted - available, buffer.Length / 4))
        {
            buffer.AsSpan(start, available).CopyTo(buffer);
            start = 0;
            end = available;
        }
    }

    private void MakeRoom(int bytes)
    {
        if (bytes <= buffer.Length)
        {
            return;
        }

        var larger = GC.AllocateUninitializedArray<byte>(bytes);
        buffer.AsSpan(start, end - start).CopyTo(larger);
        end -= start;
        start = 0;
        buffer = larger;
    }

    /// <summary>The size of the message at the front, header included; its header must be here.</summary>
    private int PendingBytes()
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(buffer.AsSpan(start + 1));
        if (length < 4 || length > limit)
        {
            throw new ProtocolException($"The server announced a message of {length} bytes. Check that a PostgreSQL server answers at this address.");
        }

        return length + 1;
    }
}
