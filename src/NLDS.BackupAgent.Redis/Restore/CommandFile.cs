using System.Globalization;
using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Restore;

/// <summary>
/// Writes a replication stream as an append-only file: without the link's own traffic, and ended behind the last whole command or transaction. A command's kind is
/// known at its end, so what must not stay is taken back then.
/// </summary>
internal sealed class CommandFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly FileStream file;
    private readonly byte[] buffer = new byte[BufferBytes];
    private readonly CommandScanner scanner;
    private long bufferStart;
    private int buffered;
    private long commandStart;
    private long safeLength;
    private ReadOnlyMemory<byte> current;
    private ulong copied;
    private long pendingCommands;

    /// <param name="path">An existing file is continued at its end.</param>
    /// <param name="position">The stream's offset at the first byte.</param>
    /// <param name="database">What the first command is meant for, unless it says so itself.</param>
    public CommandFile(string path, ulong position, int? database)
    {
        file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Seek(0, SeekOrigin.End);
        bufferStart = safeLength = file.Position;
        scanner = new CommandScanner(position, End);
        if (database is { } selected)
        {
            Append(RespRequest.Encode("SELECT", selected.ToString(CultureInfo.InvariantCulture)));
            safeLength = Length;
        }

        commandStart = Length;
    }

    /// <summary>Commands that will be replayed.</summary>
    public long Commands { get; private set; }

    /// <summary>Where in the stream the file's last command ends.</summary>
    public ulong SafeEnd => scanner.SafeEnd;

    private long Length => bufferStart + buffered;

    /// <exception cref="ProtocolException">These are no commands.</exception>
    public void Write(ReadOnlyMemory<byte> bytes)
    {
        (current, copied) = (bytes, scanner.Position);
        scanner.Feed(bytes.Span);
        CopyUpTo(scanner.Position);
    }

    /// <summary>Ends the file behind the last whole command or transaction, and makes it durable.</summary>
    public void Complete()
    {
        Flush();
        file.SetLength(safeLength);
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => file.Dispose();

    private void End(CommandScanner command)
    {
        CopyUpTo(command.Position);
        if (command.Kind is CommandKind.Link or CommandKind.AcknowledgementRequest or CommandKind.Message)
        {
            TakeBack(commandStart);
        }
        else
        {
            pendingCommands++;
        }

        commandStart = Length;
        if (!command.IsInTransaction)
        {
            safeLength = Length;
            Commands += pendingCommands;
            pendingCommands = 0;
        }
    }

    private void CopyUpTo(ulong position)
    {
        var count = (int)(position - copied);
        Append(current.Span[..count]);
        (current, copied) = (current[count..], position);
    }

    private void TakeBack(long length)
    {
        if (length < bufferStart)
        {
            file.Position = bufferStart = length;
        }

        buffered = (int)(length - bufferStart);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (buffered == BufferBytes)
            {
                Flush();
            }

            var count = Math.Min(bytes.Length, BufferBytes - buffered);
            bytes[..count].CopyTo(buffer.AsSpan(buffered));
            buffered += count;
            bytes = bytes[count..];
        }
    }

    private void Flush()
    {
        file.Write(buffer.AsSpan(0, buffered));
        bufferStart += buffered;
        buffered = 0;
    }
}
